#pragma once

// The audit: one row for every read and change of a secret, sign-in, refusal and deployment, each bound by its hash to
// the one before it; append only. The row of a change is appended in the change's own transaction. Loop thread, but for
// append_audit().

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/database.h"

namespace leger {

struct AuditRecord {
  std::string time;                      // RFC 3339
  std::string actor;                     // user_uuid; empty where nobody is known
  std::string source;                    // an IP address, `socket`, `deployment ID` or `legerd`
  std::string action;                    // `secret.read`, `deployment.install`, …
  std::string object;                    // the secret's name, the app's, …; never a value
  std::optional<std::uint64_t> version;  // of the object
  std::string outcome = "ok";            // or the code of the error
  std::string request_id;                // empty where no request was the cause
  std::uint64_t count = 1;               // how many alike this row stands for
};

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

  // With the kernel when this returns, on disk within 100 ms.
  Task<Result<void>> add(std::vector<AuditRecord> records);
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
