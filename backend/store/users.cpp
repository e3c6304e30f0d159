#include "backend/store/users.h"

#include <memory>
#include <utility>

#include "backend/store/sql.h"

namespace leger {
namespace {

constexpr char kColumns[] =
    "user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen, last_device_id,"
    " last_device_hostname, cli_version, total_authentications";

constexpr auto kFind = joined("SELECT ", kColumns, " FROM users WHERE user_uuid = ?1");

constexpr auto kFindByTailscaleId = joined("SELECT ", kColumns, " FROM users WHERE tailscale_user_id = ?1");

constexpr auto kOwner = joined("SELECT ", kColumns, " FROM users WHERE is_owner = 1");

constexpr const char* kTaken =
    "SELECT 1 FROM users WHERE is_owner = 1 OR user_uuid = ?1 OR tailscale_user_id = ?2 LIMIT 1";

constexpr const char* kAddOwner =
    "INSERT INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen,"
    " last_device_id, last_device_hostname, cli_version, total_authentications, is_owner)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)";

// A sign-in: ?1 to ?8 are its Tailscale id, email, tailnet, display name, time, device, hostname and version. What it
// does not say stays.
constexpr char kSignedIn[] =
    "tailscale_email = coalesce(nullif(?2, ''), tailscale_email), tailnet = coalesce(nullif(?3, ''), tailnet),"
    " display_name = coalesce(?4, display_name), last_seen = ?5, last_device_id = coalesce(?6, last_device_id),"
    " last_device_hostname = coalesce(?7, last_device_hostname), cli_version = coalesce(?8, cli_version),"
    " total_authentications = total_authentications + 1";

constexpr auto kRecord = joined("UPDATE users SET ", kSignedIn, " WHERE tailscale_user_id = ?1 RETURNING ", kColumns);

constexpr auto kRecordOwner = joined("UPDATE users SET tailscale_user_id = ?1, ", kSignedIn,
                                     " WHERE is_owner = 1 AND tailscale_user_id GLOB '*[^0-9]*' RETURNING ", kColumns);

constexpr auto kRecordNew = joined(
    "INSERT INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet, display_name, created_at, last_seen,"
    " last_device_id, last_device_hostname, cli_version, total_authentications)"
    " VALUES (?9, ?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, 1) ON CONFLICT (user_uuid) DO NOTHING RETURNING ",
    kColumns);

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

// One of the three statements of a sign-in; the row that it made or changed.
Result<std::optional<User>> record_by(Statement statement, const SignIn& sign_in) {
  statement.bind(1, sign_in.tailscale_user_id)
      .bind(2, sign_in.tailscale_email)
      .bind(3, sign_in.tailnet)
      .bind_optional(4, sign_in.display_name)
      .bind(5, sign_in.now)
      .bind_optional(6, sign_in.device_id)
      .bind_optional(7, sign_in.device_hostname)
      .bind_optional(8, sign_in.cli_version);
  return one_user(std::move(statement));
}

Result<User> record_sign_in(Connection& connection, const SignIn& sign_in) {
  auto user = record_by(connection.prepare(kRecord.data()), sign_in);
  if (user && !*user && sign_in.is_owner) user = record_by(connection.prepare(kRecordOwner.data()), sign_in);
  if (user && !*user) {
    Statement statement = connection.prepare(kRecordNew.data());
    statement.bind(9, sign_in.user_uuid);
    user = record_by(std::move(statement), sign_in);
  }
  if (!user) return Fail(user.error());
  if (*user) return **std::move(user);
  return Fail(
      {Code::conflict, "there is an account " + sign_in.user_uuid + " already, of another Tailscale id", {}, {}});
}

}  // namespace

Result<std::optional<User>> SqliteUsers::find(const std::string& user_uuid) {
  Statement statement = database_.reader().prepare(kFind.data());
  statement.bind(1, user_uuid);
  return one_user(std::move(statement));
}

Result<std::optional<User>> SqliteUsers::find_by_tailscale_id(const std::string& tailscale_user_id) {
  Statement statement = database_.reader().prepare(kFindByTailscaleId.data());
  statement.bind(1, tailscale_user_id);
  return one_user(std::move(statement));
}

Result<std::optional<User>> SqliteUsers::owner() { return one_user(database_.reader().prepare(kOwner.data())); }

Task<Result<void>> SqliteUsers::add_owner(User user) {
  return database_.write([user = std::move(user)](Connection& connection) { return insert_owner(connection, user); });
}

Task<Result<User>> SqliteUsers::record(SignIn sign_in) {
  auto user = std::make_shared<User>();
  const auto written = co_await database_.write([user, sign_in = std::move(sign_in)](Connection& connection) {
    auto recorded = record_sign_in(connection, sign_in);
    if (!recorded) return Result<void>(Fail(recorded.error()));
    *user = *std::move(recorded);
    return Result<void>();
  });
  if (!written) co_return Fail(written.error());
  co_return std::move(*user);
}

}  // namespace leger
