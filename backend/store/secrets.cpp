#include "backend/store/secrets.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace leger {
namespace {

constexpr const char* kList =
    "SELECT s.name, s.version, s.created_at, s.updated_at FROM secrets s"
    " WHERE s.user_uuid = ?1 AND s.deleted_at IS NULL AND s.name > ?2 ORDER BY s.name LIMIT ?3";

constexpr const char* kCount = "SELECT count(*) FROM secrets WHERE user_uuid = ?1 AND deleted_at IS NULL";

constexpr const char* kGetCurrent =
    "SELECT s.name, v.version, s.created_at, v.created_at, v.key_id, v.encryption_version, v.nonce, v.ciphertext, v.tag"
    " FROM secrets s JOIN secret_versions v ON v.secret_id = s.secret_id AND v.version = s.version"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL";

constexpr const char* kGetVersion =
    "SELECT s.name, v.version, s.created_at, v.created_at, v.key_id, v.encryption_version, v.nonce, v.ciphertext, v.tag"
    " FROM secrets s JOIN secret_versions v ON v.secret_id = s.secret_id AND v.version = ?3"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL";

constexpr const char* kState =
    "SELECT version, deleted_at IS NULL, created_at FROM secrets WHERE user_uuid = ?1 AND name = ?2";

// A random UUID of version 4 made by SQLite itself; its generator is seeded by the system. The id is a name, not a
// secret.
constexpr const char* kUpsert =
    "INSERT INTO secrets (secret_id, user_uuid, name, encryption_version, version, created_at, updated_at) VALUES ("
    " lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' || substr(lower(hex(randomblob(2))), 2) || "
    "'-'"
    " || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2) || '-' || "
    "lower(hex(randomblob(6))),"
    " ?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (user_uuid, name) DO UPDATE SET encryption_version = ?3, version = ?4, created_at = ?5, updated_at = "
    "?6,"
    " deleted_at = NULL RETURNING secret_id";

constexpr const char* kAddVersion =
    "INSERT INTO secret_versions (secret_id, version, key_id, encryption_version, nonce, ciphertext, tag, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr const char* kDropOld = "DELETE FROM secret_versions WHERE secret_id = ?1 AND version <= ?2";

constexpr const char* kDelete =
    "UPDATE secrets SET deleted_at = ?3 WHERE user_uuid = ?1 AND name = ?2 AND deleted_at IS NULL RETURNING secret_id";

constexpr const char* kDropAll = "DELETE FROM secret_versions WHERE secret_id = ?1";

constexpr const char* kKeys =
    "SELECT key_id, purpose, nonce, ciphertext, tag, created_at FROM data_keys ORDER BY key_id";

constexpr const char* kAddKey =
    "INSERT INTO data_keys (key_id, purpose, nonce, ciphertext, tag, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (key_id) DO NOTHING";

Error no_such_secret() {
  return {Code::secret_not_found, "there is no such secret", "See which there are: leger secrets list", {}};
}

SecretInfo info_of(const Statement& row) {
  return {.name = row.text(0),
          .version = static_cast<std::uint64_t>(row.integer(1)),
          .created_at = row.text(2),
          .updated_at = row.text(3)};
}

StoredSecret secret_of(const Statement& row) {
  return {.info = info_of(row),
          .value = {.key_id = static_cast<std::uint32_t>(row.integer(4)),
                    .encryption_version = static_cast<std::uint32_t>(row.integer(5)),
                    .nonce = row.blob(6),
                    .ciphertext = row.blob(7),
                    .tag = row.blob(8)}};
}

// What is known of a name before it is written.
struct State {
  std::uint64_t highest = 0;  // number ever allotted
  bool exists = false;        // and is not deleted
  std::string created_at;
};

Result<State> state_of(Connection& connection, const PutSecret& put) {
  Statement statement = connection.prepare(kState);
  const auto row = statement.bind(1, put.user_uuid).bind(2, put.name).step();
  if (!row) return Fail(row.error());
  if (!*row) return State{};
  return State{static_cast<std::uint64_t>(statement.integer(0)), statement.integer(1) == 1, statement.text(2)};
}

Result<void> judge_version(const PutSecret& put, const State& state) {
  const std::uint64_t current = state.exists ? state.highest : 0;
  if (!put.if_version || *put.if_version == current) return {};
  const std::string number = std::to_string(current);
  const std::string is = state.exists ? "the secret is at version " + number : "the secret does not exist";
  return Fail({Code::conflict, is + ", the change was meant for version " + std::to_string(*put.if_version),
               "Read it again, then repeat the change for the version it has.", "{\"version\":" + number + "}"});
}

Result<std::string> upsert(Connection& connection, const PutSecret& put, const SecretInfo& info,
                           std::uint32_t encryption_version) {
  Statement statement = connection.prepare(kUpsert);
  const auto row = statement.bind(1, put.user_uuid)
                       .bind(2, info.name)
                       .bind(3, encryption_version)
                       .bind(4, static_cast<std::int64_t>(info.version))
                       .bind(5, info.created_at)
                       .bind(6, info.updated_at)
                       .step();
  if (!row) return Fail(row.error());
  return statement.text(0);
}

Result<void> add_version(Connection& connection, const std::string& secret_id, const SecretInfo& info,
                         const SealedValue& value) {
  return connection.prepare(kAddVersion)
      .bind(1, secret_id)
      .bind(2, static_cast<std::int64_t>(info.version))
      .bind(3, value.key_id)
      .bind(4, value.encryption_version)
      .bind_blob(5, value.nonce)
      .bind_blob(6, value.ciphertext)
      .bind_blob(7, value.tag)
      .bind(8, info.updated_at)
      .run();
}

Result<PutOutcome> put_secret(Connection& connection, const PutSecret& put) {
  const auto state = state_of(connection, put);
  if (!state) return Fail(state.error());
  if (auto meant = judge_version(put, *state); !meant) return Fail(meant.error());
  PutOutcome outcome{.info = {.name = put.name,
                              .version = state->highest + 1,
                              .created_at = state->exists ? state->created_at : put.now,
                              .updated_at = put.now},
                     .created = !state->exists};
  const auto sealed = put.seal(outcome.info.version);
  if (!sealed) return Fail(sealed.error());
  const auto id = upsert(connection, put, outcome.info, sealed->encryption_version);
  if (!id) return Fail(id.error());
  if (auto added = add_version(connection, *id, outcome.info, *sealed); !added) return Fail(added.error());
  // Numbers of one secret are without gaps, so the newest N are those above version - N; the current one always stays.
  const std::uint64_t kept = std::max<std::uint64_t>(put.keep_versions, 1);
  if (outcome.info.version > kept) {
    Statement drop = connection.prepare(kDropOld);
    drop.bind(1, *id).bind(2, static_cast<std::int64_t>(outcome.info.version - kept));
    if (auto dropped = drop.run(); !dropped) return Fail(dropped.error());
  }
  return outcome;
}

Result<void> remove_secret(Connection& connection, const std::string& user_uuid, const std::string& name,
                           const std::string& now) {
  std::string id;
  {
    Statement statement = connection.prepare(kDelete);
    const auto row = statement.bind(1, user_uuid).bind(2, name).bind(3, now).step();
    if (!row) return Fail(row.error());
    if (!*row) return Fail(no_such_secret());
    id = statement.text(0);
  }
  return connection.prepare(kDropAll).bind(1, id).run();
}

}  // namespace

Result<std::vector<SecretInfo>> SqliteSecrets::list(const std::string& user_uuid, const std::string& after,
                                                    std::uint32_t limit) {
  Statement statement = database_.reader().prepare(kList);
  statement.bind(1, user_uuid).bind(2, after).bind(3, limit);
  std::vector<SecretInfo> secrets;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return secrets;
    secrets.push_back(info_of(statement));
  }
}

Result<std::uint64_t> SqliteSecrets::count(const std::string& user_uuid) {
  Statement statement = database_.reader().prepare(kCount);
  const auto row = statement.bind(1, user_uuid).step();
  if (!row) return Fail(row.error());
  return static_cast<std::uint64_t>(statement.integer(0));
}

Result<StoredSecret> SqliteSecrets::get(const std::string& user_uuid, const std::string& name,
                                        std::optional<std::uint64_t> version) {
  Statement statement = database_.reader().prepare(version ? kGetVersion : kGetCurrent);
  statement.bind(1, user_uuid).bind(2, name);
  if (version) statement.bind(3, static_cast<std::int64_t>(*version));
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return Fail(no_such_secret());
  return secret_of(statement);
}

Task<Result<PutOutcome>> SqliteSecrets::put(PutSecret put) {
  auto outcome = std::make_shared<PutOutcome>();
  auto written = co_await database_.write([outcome, put = std::move(put)](Connection& connection) -> Result<void> {
    auto done = put_secret(connection, put);
    if (!done) return Fail(done.error());
    *outcome = *std::move(done);
    return {};
  });
  if (!written) co_return Fail(written.error());
  co_return std::move(*outcome);
}

Task<Result<void>> SqliteSecrets::remove(std::string user_uuid, std::string name, std::string now) {
  return database_.write([user_uuid = std::move(user_uuid), name = std::move(name), now = std::move(now)](
                             Connection& connection) { return remove_secret(connection, user_uuid, name, now); },
                         Database::Trace::none_left);
}

Result<std::vector<WrappedKey>> SqliteSecrets::wrapped_keys() {
  Statement statement = database_.reader().prepare(kKeys);
  std::vector<WrappedKey> keys;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return keys;
    keys.push_back({.key_id = static_cast<std::uint32_t>(statement.integer(0)),
                    .purpose = statement.text(1),
                    .nonce = statement.blob(2),
                    .ciphertext = statement.blob(3),
                    .tag = statement.blob(4),
                    .created_at = statement.text(5)});
  }
}

Task<Result<void>> SqliteSecrets::add_wrapped_key(WrappedKey key) {
  return database_.write([key = std::move(key)](Connection& connection) -> Result<void> {
    auto added = connection.prepare(kAddKey)
                     .bind(1, key.key_id)
                     .bind(2, key.purpose)
                     .bind_blob(3, key.nonce)
                     .bind_blob(4, key.ciphertext)
                     .bind_blob(5, key.tag)
                     .bind(6, key.created_at)
                     .run();
    if (!added) return added;
    if (connection.changes() == 1) return {};
    return Fail({Code::conflict, "there is a key " + std::to_string(key.key_id) + " already", {}, {}});
  });
}

}  // namespace leger
