#pragma once

// Puts things on record, as cheaply as may be: what a turn of the loop brings is one write to the journal, and what the
// journal has goes into the chain within 100 ms; refusals of one peer and code are gathered for a minute. Owned by the
// daemon; loop thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/base/timers.h"
#include "backend/service/actor.h"
#include "backend/service/session_clock.h"
#include "backend/store/audit.h"

namespace leger {

class AuditLog {
 public:
  // All outlive this. Rows older than `keep_days` are dropped; 0 keeps them all.
  AuditLog(Loop& loop, const Log& log, AuditStore& store, const SessionClock& clock, std::uint32_t keep_days);
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // A row about what `actor` does now; for changes, which carry it into their own transaction.
  AuditRecord record(Actor actor, std::string action, std::string object) const;

  // Writes a row: with the kernel when this returns, on disk within 100 ms. `unavailable` where it cannot be written:
  // then what it is about must not happen.
  Task<Result<void>> write(AuditRecord record);

  // What is on record by now comes before the row of a change that the caller is about to write.
  Task<void> keep_order();

  // Counts a refusal: the first of a source and outcome is written at once, what follows within a minute as one row at
  // the minute's end.
  void refused(AuditRecord record);

  // Whether the last row that was tried could not be written. One is tried every 10 s then; it says when it could.
  bool is_failing() const { return failing_; }

  // Puts all that is on record by now into the chain, durably. Where nothing is in the way it is a moment's work.
  Task<Result<void>> flush();

  // Of all that is on record by now, where that can be brought into the chain.
  Task<Result<AuditPage>> list(AuditQuery query);
  Task<Result<AuditVerdict>> verify();

  // Puts into the chain what an earlier process left in the journal; drops what is too old, once a day, until stop().
  Task<void> run();
  // Writes the refusals that are being gathered, and all of it into the chain; nothing is gathered afterwards.
  Task<void> stop();

 private:
  using Refusal = std::pair<std::string, std::string>;  // source and outcome

  void keep();
  Task<void> fold();
  Task<void> fold_kept();
  void note(const Result<void>& written);
  void spawn(Task<void> task);
  Task<void> try_to_write(AuditRecord record);
  void end_minute();
  Task<void> drop_old();

  Loop& loop_;
  const Log& log_;
  AuditStore& store_;
  const SessionClock& clock_;
  const std::uint32_t keep_days_;
  mutable std::int64_t second_ = -1;  // seconds since 1970, and their text: many rows have the same
  mutable std::string time_;
  std::uint64_t batch_ = 0;  // what is gathered now, to be kept at the end of the turn
  Result<void> kept_;        // how the batch before it went
  bool folding_ = false;
  std::vector<OneShot<Result<void>>> waiting_;  // for the fold after the one that is under way
  bool failing_ = false;
  bool stopped_ = false;
  std::map<Refusal, std::optional<AuditRecord>> refusals_;  // nothing: only the one that was written at once
  Timer fold_;
  Timer minute_;
  Timer probe_;
  OneShot<bool> wake_;
};

}  // namespace leger
