#pragma once

// Sessions that were signed in and not out again: a session that is not here is revoked, so revoked ones cost nothing.
// Also the mark up to which time has come. A seam (see users.h). Loop thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"

namespace leger {

struct Session {
  std::string id;  // the token's jti
  std::string user_uuid;
  std::string binding;     // how it was proven: `tailnet:<user id>`, `login:<name>` or `local`
  std::string hostname;    // of the device that signed in; may be empty
  std::string client;      // `cli` or `web`
  std::string created_at;  // RFC 3339
  std::string expires_at;
};

class Sessions {
 public:
  virtual ~Sessions() = default;
  virtual Result<std::optional<Session>> find(const std::string& id) = 0;
  // Those of a user that have not expired at `now` (RFC 3339), newest first.
  virtual Result<std::vector<Session>> list(const std::string& user_uuid, const std::string& now) = 0;
  // Adds one; in the same transaction drops those that have expired at its created_at, and the user's oldest beyond
  // `most`; and puts `audit` on record.
  virtual Task<Result<void>> add(Session session, std::uint32_t most, AuditRecord audit) = 0;
  // False where the user has no such session; else `audit` is on record too.
  virtual Task<Result<bool>> remove(std::string user_uuid, std::string id, AuditRecord audit) = 0;

  // The latest time, seconds since 1970, that is known to have passed; 0 before the first.
  virtual Result<std::int64_t> time_mark() = 0;
  virtual Task<Result<void>> set_time_mark(std::int64_t seconds) = 0;
};

class SqliteSessions final : public Sessions {
 public:
  explicit SqliteSessions(Database& database) : database_(database) {}
  Result<std::optional<Session>> find(const std::string& id) override;
  Result<std::vector<Session>> list(const std::string& user_uuid, const std::string& now) override;
  Task<Result<void>> add(Session session, std::uint32_t most, AuditRecord audit) override;
  Task<Result<bool>> remove(std::string user_uuid, std::string id, AuditRecord audit) override;
  Result<std::int64_t> time_mark() override;
  Task<Result<void>> set_time_mark(std::int64_t seconds) override;

 private:
  Database& database_;
};

}  // namespace leger
