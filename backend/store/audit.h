#pragma once

// The audit: one row for every read and change of a secret, change of a release, sign-in, refusal and deployment, each
// bound by its hash to the one before it; append only. The row of a change is appended in the change's own transaction;
// other records are kept in a journal and put into the chain together. Loop thread, but for append_audit().

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit_record.h"
#include "backend/store/database.h"

namespace leger {

struct AuditEntry {
  std::uint64_t id = 0;
  AuditRecord record;
  std::string actor_name;  // the login name of the actor's account today; empty where there is none
};

struct AuditQuery {
  std::string actor;         // empty: everybody's
  std::string object;        // empty: all
  std::string action;        // empty: all
  std::uint64_t before = 0;  // only ids below; 0: from the newest
  std::uint32_t limit = 100;
};

struct AuditPage {
  std::vector<AuditEntry> entries;    // newest first; fewer than `limit`, even none, where many rows did not fit
  std::optional<std::uint64_t> next;  // `before` of the next page; nothing at the end
};

struct AuditVerdict {
  std::uint64_t entries = 0;               // looked at
  std::optional<std::uint64_t> first_bad;  // the id of the first row that does not follow from the one before, or that
                                           // is missing; nothing: the chain is whole
};

// On the writer's thread, inside its transaction.
Result<void> append_audit(Connection& connection, const AuditRecord& record);

class AuditStore {
 public:
  explicit AuditStore(Database& database) : database_(database) {}

  // Gathers a record for the next keep().
  void gather(const AuditRecord& record);
  // All that was gathered is with the kernel when this succeeds, and put into the chain by the next fold(), of this
  // process or of the next one; where it fails none of it is.
  Result<void> keep();
  // Whether as much is kept as may wait for a fold().
  bool is_full() const;
  bool has_kept() const;
  // Puts what is kept into the chain, durably; where that fails it stays kept. One at a time.
  Task<Result<void>> fold();

  // Looks at 10 000 rows at most, so that it is short on the loop's thread.
  Result<AuditPage> list(const AuditQuery& query);
  // The whole chain, in the pool.
  Task<Result<AuditVerdict>> verify();
  // Drops the oldest rows up to the first whose time is not before `time` (RFC 3339), at most `most` of them; the chain
  // starts at the next one then. How many were dropped.
  Task<Result<std::uint64_t>> drop_before(std::string time, std::uint32_t most);

 private:
  Database& database_;
};

}  // namespace leger
