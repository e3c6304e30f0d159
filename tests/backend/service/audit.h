#pragma once

// A real audit over a test's database, and actors to be on record in it.

#include <doctest/doctest.h>

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
      : rows(database), sessions_(database), clock_(loop, sessions_), log(loop, quiet_, rows, clock_, keep_days) {}

  // Of an action, or all: newest first.
  std::vector<AuditEntry> entries(const std::string& action = {}) {
    const auto page = rows.list({.actor = {}, .object = {}, .action = action, .before = 0, .limit = 1000});
    REQUIRE(page);
    return page->entries;
  }
  std::uint64_t count(const std::string& action) { return entries(action).size(); }

  AuditStore rows;

 private:
  Log quiet_{LogLevel::error};
  SqliteSessions sessions_;
  SessionClock clock_;

 public:
  AuditLog log;
};

}  // namespace leger::test
