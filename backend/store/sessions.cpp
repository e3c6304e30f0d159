#include "backend/store/sessions.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "backend/store/sql.h"

namespace leger {
namespace {

constexpr char kSelect[] =
    "SELECT session_id, user_uuid, binding, hostname, client, created_at, expires_at FROM sessions";

constexpr auto kFind = joined(kSelect, " WHERE session_id = ?1");

// Of one second, the one that was added later is the newer.
constexpr auto kList =
    joined(kSelect, " WHERE user_uuid = ?1 AND expires_at > ?2 ORDER BY created_at DESC, rowid DESC");

constexpr const char* kAdd =
    "INSERT INTO sessions (session_id, user_uuid, binding, hostname, client, created_at, expires_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

constexpr const char* kDropExpired = "DELETE FROM sessions WHERE expires_at <= ?1";

// Never the one that was just added, even where a clock that was set back gives it the earliest time.
constexpr const char* kDropOldest =
    "DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE user_uuid = ?1 AND session_id <> ?2"
    " ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?3)";

constexpr const char* kRemove = "DELETE FROM sessions WHERE session_id = ?1 AND user_uuid = ?2";

constexpr const char* kTimeMark = "SELECT seconds FROM time_mark";

constexpr const char* kSetTimeMark = "UPDATE time_mark SET seconds = max(seconds, ?1)";

Session session_of(const Statement& row) {
  return {.id = row.text(0),
          .user_uuid = row.text(1),
          .binding = row.text(2),
          .hostname = row.text(3),
          .client = row.text(4),
          .created_at = row.text(5),
          .expires_at = row.text(6)};
}

Result<void> add_session(Connection& connection, const Session& session, std::uint32_t most) {
  if (auto dropped = connection.prepare(kDropExpired).bind(1, session.created_at).run(); !dropped) return dropped;
  auto added = connection.prepare(kAdd)
                   .bind(1, session.id)
                   .bind(2, session.user_uuid)
                   .bind(3, session.binding)
                   .bind(4, session.hostname)
                   .bind(5, session.client)
                   .bind(6, session.created_at)
                   .bind(7, session.expires_at)
                   .run();
  if (!added) return added;
  return connection.prepare(kDropOldest)
      .bind(1, session.user_uuid)
      .bind(2, session.id)
      .bind(3, std::max<std::int64_t>(most, 1) - 1)
      .run();
}

}  // namespace

Result<std::optional<Session>> SqliteSessions::find(const std::string& id) {
  Statement statement = database_.reader().prepare(kFind.data());
  const auto row = statement.bind(1, id).step();
  if (!row) return Fail(row.error());
  if (!*row) return std::nullopt;
  return session_of(statement);
}

Result<std::vector<Session>> SqliteSessions::list(const std::string& user_uuid, const std::string& now) {
  Statement statement = database_.reader().prepare(kList.data());
  statement.bind(1, user_uuid).bind(2, now);
  std::vector<Session> sessions;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return sessions;
    sessions.push_back(session_of(statement));
  }
}

Task<Result<void>> SqliteSessions::add(Session session, std::uint32_t most, AuditRecord audit) {
  return database_.write(
      [session = std::move(session), most, audit = std::move(audit)](Connection& connection) -> Result<void> {
        if (auto added = add_session(connection, session, most); !added) return added;
        return append_audit(connection, audit);
      });
}

Task<Result<bool>> SqliteSessions::remove(std::string user_uuid, std::string id, AuditRecord audit) {
  auto removed = std::make_shared<bool>(false);
  auto work = [removed, user_uuid = std::move(user_uuid), id = std::move(id),
               audit = std::move(audit)](Connection& connection) -> Result<void> {
    if (auto done = connection.prepare(kRemove).bind(1, id).bind(2, user_uuid).run(); !done) return done;
    *removed = connection.changes() == 1;
    if (!*removed) return {};
    return append_audit(connection, audit);
  };
  const auto written = co_await database_.write(std::move(work));
  if (!written) co_return Fail(written.error());
  co_return *removed;
}

Result<std::int64_t> SqliteSessions::time_mark() {
  Statement statement = database_.reader().prepare(kTimeMark);
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  return statement.integer(0);
}

Task<Result<void>> SqliteSessions::set_time_mark(std::int64_t seconds) {
  return database_.write(
      [seconds](Connection& connection) { return connection.prepare(kSetTimeMark).bind(1, seconds).run(); });
}

}  // namespace leger
