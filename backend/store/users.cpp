#include "backend/store/users.h"

#include <utility>

namespace leger {
namespace {

constexpr const char* kFind =
    "SELECT user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen, "
    "last_device_id,"
    " last_device_hostname, cli_version, total_authentications FROM users WHERE user_uuid = ?1";

constexpr const char* kOwner =
    "SELECT user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen, "
    "last_device_id,"
    " last_device_hostname, cli_version, total_authentications FROM users WHERE is_owner = 1";

constexpr const char* kTaken =
    "SELECT 1 FROM users WHERE is_owner = 1 OR user_uuid = ?1 OR tailscale_user_id = ?2 LIMIT 1";

constexpr const char* kAddOwner =
    "INSERT INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen,"
    " last_device_id, last_device_hostname, cli_version, total_authentications, is_owner)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)";

User user_of(const Statement& row) {
  return {.user_uuid = row.text(0),
          .tailscale_user_id = row.text(1),
          .tailscale_email = row.text(2),
          .tailnet = row.text(3),
          .display_name = row.optional_text(4),
          .created_at = row.text(5),
          .last_seen = row.text(6),
          .last_device_id = row.optional_text(7),
          .last_device_hostname = row.optional_text(8),
          .cli_version = row.optional_text(9),
          .total_authentications = row.integer(10)};
}

Result<std::optional<User>> one_user(Statement statement) {
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return std::nullopt;
  return user_of(statement);
}

Result<void> insert_owner(Connection& connection, const User& user) {
  Statement taken = connection.prepare(kTaken);
  const auto row = taken.bind(1, user.user_uuid).bind(2, user.tailscale_user_id).step();
  if (!row) return Fail(row.error());
  if (*row) return Fail({Code::conflict, "the store has an owner, or an account of that id, already", {}, {}});
  return connection.prepare(kAddOwner)
      .bind(1, user.user_uuid)
      .bind(2, user.tailscale_user_id)
      .bind(3, user.tailscale_email)
      .bind(4, user.tailnet)
      .bind_optional(5, user.display_name)
      .bind(6, user.created_at)
      .bind(7, user.last_seen)
      .bind_optional(8, user.last_device_id)
      .bind_optional(9, user.last_device_hostname)
      .bind_optional(10, user.cli_version)
      .bind(11, user.total_authentications)
      .run();
}

}  // namespace

Result<std::optional<User>> SqliteUsers::find(const std::string& user_uuid) {
  Statement statement = database_.reader().prepare(kFind);
  statement.bind(1, user_uuid);
  return one_user(std::move(statement));
}

Result<std::optional<User>> SqliteUsers::owner() { return one_user(database_.reader().prepare(kOwner)); }

Task<Result<void>> SqliteUsers::add_owner(User user) {
  return database_.write([user = std::move(user)](Connection& connection) { return insert_owner(connection, user); });
}

}  // namespace leger
