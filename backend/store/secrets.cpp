#include "backend/store/secrets.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "backend/base/json.h"
#include "backend/store/in_use.h"
#include "backend/store/sql.h"

namespace leger {
namespace {

// The current version of a secret is its highest.
constexpr const char* kList =
    "SELECT s.name, v.version, s.created_at, v.created_at FROM secrets s CROSS JOIN secret_versions v"
    " ON v.secret_id = s.secret_id"
    " AND v.version = (SELECT max(n.version) FROM secret_versions n WHERE n.secret_id = s.secret_id)"
    " WHERE s.user_uuid = ?1 AND s.deleted_at IS NULL AND s.name > ?2 ORDER BY s.name LIMIT ?3";

constexpr const char* kCount = "SELECT count(*) FROM secrets WHERE user_uuid = ?1 AND deleted_at IS NULL";

constexpr const char* kGetCurrent =
    "SELECT s.name, v.version, s.created_at, v.created_at, v.key_id, v.encryption_version, v.nonce, v.ciphertext, v.tag"
    " FROM secrets s JOIN secret_versions v ON v.secret_id = s.secret_id"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL ORDER BY v.version DESC LIMIT 1";

constexpr const char* kGetVersion =
    "SELECT s.name, v.version, s.created_at, v.created_at, v.key_id, v.encryption_version, v.nonce, v.ciphertext, v.tag"
    " FROM secrets s JOIN secret_versions v ON v.secret_id = s.secret_id AND v.version = ?3"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL";

constexpr const char* kState =
    "SELECT coalesce((SELECT max(v.version) FROM secret_versions v WHERE v.secret_id = s.secret_id), s.last_version),"
    " s.deleted_at IS NULL, s.created_at, s.secret_id FROM secrets s WHERE s.user_uuid = ?1 AND s.name = ?2";

// A random UUID of version 4 made by SQLite itself; its generator is seeded by the system. The id is a name, not a
// secret.
constexpr const char* kAdd =
    "INSERT INTO secrets (secret_id, user_uuid, name, last_version, created_at) VALUES ("
    " lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4' || substr(lower(hex(randomblob(2))), 2) || "
    "'-'"
    " || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2) || '-' || "
    "lower(hex(randomblob(6))),"
    " ?1, ?2, 1, ?3) RETURNING secret_id";

constexpr const char* kBringBack = "UPDATE secrets SET created_at = ?2, deleted_at = NULL WHERE secret_id = ?1";

constexpr const char* kAddVersion =
    "INSERT INTO secret_versions (secret_id, version, key_id, encryption_version, nonce, ciphertext, tag, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr const char* kVersions =
    "SELECT v.version, v.created_at"
    " FROM secrets s JOIN secret_versions v ON v.secret_id = s.secret_id"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL ORDER BY v.version DESC";

// The newest N versions are those with the N highest numbers. Below them there are gaps, and what a deployment used and
// now may go, or was kept by a higher N before.
constexpr auto kDropOld = joined(
    "DELETE FROM secret_versions AS v WHERE v.secret_id = ?1 AND v.version <= ?2"
    " AND NOT EXISTS (SELECT 1 FROM deployment_secrets u JOIN deployments d ON d.id = u.deployment_id"
    " WHERE u.name = ?3 AND u.version = v.version AND d.user_uuid = ?4 AND ",
    kIsInUse, ")");

constexpr auto kAppsWith = joined(
    "SELECT DISTINCT d.name FROM deployment_secrets u JOIN deployments d ON d.id = u.deployment_id"
    " WHERE u.name = ?1 AND d.user_uuid = ?2 AND ",
    kIsInUse, " ORDER BY d.name");

constexpr const char* kDelete =
    "UPDATE secrets AS s SET deleted_at = ?3,"
    " last_version = coalesce((SELECT max(v.version) FROM secret_versions v WHERE v.secret_id = s.secret_id), "
    "last_version)"
    " WHERE s.user_uuid = ?1 AND s.name = ?2 AND s.deleted_at IS NULL RETURNING secret_id";

constexpr const char* kDropAll = "DELETE FROM secret_versions WHERE secret_id = ?1";

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
  std::string secret_id;  // empty where there never was one
};

Result<State> state_of(Connection& connection, const PutSecret& put) {
  Statement statement = connection.prepare(kState);
  const auto row = statement.bind_borrowed(1, put.user_uuid).bind_borrowed(2, put.name).step();
  if (!row) return Fail(row.error());
  if (!*row) return State{};
  return State{static_cast<std::uint64_t>(statement.integer(0)), statement.integer(1) == 1, statement.text(2),
               statement.text(3)};
}

Result<void> judge_version(const PutSecret& put, const State& state) {
  const std::uint64_t current = state.exists ? state.highest : 0;
  if (!put.if_version || *put.if_version == current) return {};
  const std::string number = std::to_string(current);
  const std::string is = state.exists ? "the secret is at version " + number : "the secret does not exist";
  return Fail({Code::conflict, is + ", the change was meant for version " + std::to_string(*put.if_version),
               "Read it again, then repeat the change for the version it has.", "{\"version\":" + number + "}"});
}

// Gives the id of its row, which a change of the value leaves as it is.
Result<std::string> row_for(Connection& connection, const PutSecret& put, const State& state) {
  if (state.exists) return state.secret_id;
  if (!state.secret_id.empty()) {
    auto back = connection.prepare(kBringBack).bind(1, state.secret_id).bind(2, put.now).run();
    if (!back) return Fail(back.error());
    return state.secret_id;
  }
  Statement statement = connection.prepare(kAdd);
  const auto row = statement.bind(1, put.user_uuid).bind(2, put.name).bind(3, put.now).step();
  if (!row) return Fail(row.error());
  return statement.text(0);
}

Result<void> add_version(Connection& connection, const std::string& secret_id, const SecretInfo& info,
                         const SealedValue& value) {
  return connection.prepare(kAddVersion)
      .bind_borrowed(1, secret_id)
      .bind(2, static_cast<std::int64_t>(info.version))
      .bind(3, value.key_id)
      .bind(4, value.encryption_version)
      .bind_borrowed_blob(5, value.nonce)
      .bind_borrowed_blob(6, value.ciphertext)
      .bind_borrowed_blob(7, value.tag)
      .bind_borrowed(8, info.updated_at)
      .run();
}

// The current one always stays.
Result<void> drop_old(Connection& connection, const PutSecret& put, const std::string& secret_id,
                      std::uint64_t current) {
  const std::uint64_t kept = std::max<std::uint64_t>(put.keep_versions, 1);
  if (current <= kept) return {};
  return connection.prepare(kDropOld.data())
      .bind_borrowed(1, secret_id)
      .bind(2, static_cast<std::int64_t>(current - kept))
      .bind_borrowed(3, put.name)
      .bind_borrowed(4, put.user_uuid)
      .run();
}

// The value of `outcome` with all that goes with it.
Result<void> store_value(Connection& connection, const PutSecret& put, const State& state, const PutOutcome& outcome,
                         const SealedValue& value) {
  const auto id = row_for(connection, put, state);
  if (!id) return Fail(id.error());
  if (auto added = add_version(connection, *id, outcome.info, value); !added) return added;
  if (auto dropped = drop_old(connection, put, *id, outcome.info.version); !dropped) return dropped;
  AuditRecord record = put.audit;
  record.version = outcome.info.version;
  return append_audit(connection, record);
}

Result<PutOutcome> put_secret(Connection& connection, const PutSecret& put, SealCount& seal_count) {
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
  const auto seals = seal_count.count(connection, sealed->key_id);
  if (!seals) return Fail(seals.error());
  outcome.seals = *seals;
  if (auto stored = store_value(connection, put, *state, outcome, *sealed); !stored) return Fail(stored.error());
  return outcome;
}

Result<void> refuse_if_used(Connection& connection, const std::string& user_uuid, const std::string& name) {
  Statement statement = connection.prepare(kAppsWith.data());
  statement.bind(1, name).bind(2, user_uuid);
  std::string listed;
  Json apps = Json::array();
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) break;
    apps.push_back(statement.text(0));
    listed += (listed.empty() ? "" : ", ") + statement.text(0);
  }
  if (apps.empty()) return {};
  return Fail({Code::conflict, "the secret is used by what is deployed, or kept for a rollback, of " + listed,
               "Remove these apps first (leger deploy remove NAME), or deploy releases without it, twice.",
               dump(Json{{"apps", apps}})});
}

struct RemoveSecret {
  std::string user_uuid;
  std::string name;
  std::string now;
  AuditRecord audit;
};

// An absent one is told first: of what it was used by nothing is said. The error of a later step undoes the first.
Result<void> remove_secret(Connection& connection, const RemoveSecret& remove) {
  std::string id;
  {
    Statement statement = connection.prepare(kDelete);
    const auto row = statement.bind(1, remove.user_uuid).bind(2, remove.name).bind(3, remove.now).step();
    if (!row) return Fail(row.error());
    if (!*row) return Fail(no_such_secret());
    id = statement.text(0);
  }
  if (auto unused = refuse_if_used(connection, remove.user_uuid, remove.name); !unused) return unused;
  if (auto dropped = connection.prepare(kDropAll).bind(1, id).run(); !dropped) return dropped;
  return append_audit(connection, remove.audit);
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
  if (!version) {
    const StoredSecret* known = cache_.find(database_.changes(), user_uuid, name);
    if (known != nullptr) return *known;
  }
  Statement statement = database_.reader().prepare(version ? kGetVersion : kGetCurrent);
  statement.bind(1, user_uuid).bind(2, name);
  if (version) statement.bind(3, static_cast<std::int64_t>(*version));
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return Fail(no_such_secret());
  StoredSecret secret = secret_of(statement);
  if (!version) cache_.put(database_.changes(), user_uuid, secret);
  return secret;
}

Task<Result<PutOutcome>> SqliteSecrets::put(PutSecret put) {
  auto outcome = std::make_shared<PutOutcome>();
  auto written = co_await database_.write(
      [outcome, put = std::move(put), seals = seal_count_](Connection& connection) -> Result<void> {
        auto done = put_secret(connection, put, *seals);
        if (!done) return Fail(done.error());
        *outcome = *std::move(done);
        return {};
      });
  if (!written) co_return Fail(written.error());
  seal_count_->committed(outcome->seals);
  co_return std::move(*outcome);
}

Result<std::vector<SecretVersion>> SqliteSecrets::versions(const std::string& user_uuid, const std::string& name) {
  Statement statement = database_.reader().prepare(kVersions);
  statement.bind(1, user_uuid).bind(2, name);
  std::vector<SecretVersion> versions;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) break;
    versions.push_back({.version = static_cast<std::uint64_t>(statement.integer(0)),
                        .created_at = statement.text(1),
                        .is_current = versions.empty()});
  }
  // The current version of a secret that is there is always kept.
  if (versions.empty()) return Fail(no_such_secret());
  return versions;
}

Task<Result<void>> SqliteSecrets::remove(std::string user_uuid, std::string name, std::string now, AuditRecord audit) {
  RemoveSecret remove{std::move(user_uuid), std::move(name), std::move(now), std::move(audit)};
  auto work = [remove = std::move(remove)](Connection& connection) { return remove_secret(connection, remove); };
  return database_.write(std::move(work), Database::Trace::none_left);
}

}  // namespace leger
