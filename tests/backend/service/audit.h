#pragma once

// A real audit over a test's database, and actors to be on record in it.

#include <doctest/doctest.h>

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/log.h"
#include "backend/service/actor.h"
#include "backend/service/audit_log.h"
#include "backend/service/session_clock.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"
#include "backend/store/sessions.h"

namespace leger::test {

inline Actor at_socket(std::string user_uuid) {
  return {.user_uuid = std::move(user_uuid), .source = "socket", .request_id = "request-1"};
}

class Audit {
 public:
  Audit(Loop& loop, Database& database, std::uint32_t keep_days = 0)
      : rows(database),
        loop_(loop),
        sessions_(database),
        clock_(loop, sessions_),
        log(loop, quiet_, rows, clock_, keep_days) {}

  // Of an action, or all: newest first.
  std::vector<AuditEntry> entries(const std::string& action = {}) {
    std::optional<Result<AuditPage>> page;
    const AuditQuery query{.actor = {}, .object = {}, .action = action, .before = 0, .limit = 1000};
    loop_.spawn(into(log.list(query), page), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
    // Not until the loop is idle: what is tested may go on and on.
    while (!page) uv_run(loop_.uv(), UV_RUN_ONCE);
    REQUIRE(*page);
    return (*page)->entries;
  }
  std::uint64_t count(const std::string& action) { return entries(action).size(); }

  AuditStore rows;

 private:
  static Task<void> into(Task<Result<AuditPage>> from, std::optional<Result<AuditPage>>& to) {
    to.emplace(co_await from);
  }

  Loop& loop_;
  Log quiet_{LogLevel::error};
  SqliteSessions sessions_;
  SessionClock clock_;

 public:
  AuditLog log;
};

}  // namespace leger::test
