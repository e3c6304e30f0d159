#include "backend/store/deployments.h"

#include <utility>

#include "backend/base/json.h"

namespace leger {
namespace {

constexpr const char* kList =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE (?1 = '' OR name = ?1) AND (?2 = '' OR sequence < (SELECT sequence FROM deployments WHERE id = ?2))"
    " ORDER BY sequence DESC LIMIT ?3";

constexpr const char* kCount = "SELECT count(*) FROM deployments WHERE ?1 = '' OR name = ?1";

constexpr const char* kGet =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE id = ?1";

constexpr const char* kLive =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE live = 1 ORDER BY name";

constexpr const char* kLiveOfName =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE live = 1 AND name = ?1";

constexpr const char* kKept =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE kept = 1 AND name = ?1";

constexpr const char* kInUse =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE live = 1 OR kept = 1 OR finished_at IS NULL";

constexpr const char* kUnfinished =
    "SELECT id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, journal, live FROM "
    "deployments"
    " WHERE finished_at IS NULL ORDER BY sequence";

// instr() spares parsing the journals of other releases.
constexpr const char* kQuarantined =
    "SELECT is_quarantined FROM (SELECT sequence, state,"
    " CASE WHEN json_valid(journal) THEN json_extract(journal, '$.release_sha256') END AS sha256,"
    " CASE WHEN json_valid(journal) THEN ifnull(json_extract(journal, '$.quarantined'), 0) END AS is_quarantined"
    " FROM deployments WHERE name = ?1 AND kind = 'install' AND instr(journal, ?2) > 0)"
    " WHERE sha256 = ?2 AND (state = 'deployed' OR is_quarantined = 1) ORDER BY sequence DESC LIMIT 1";

constexpr const char* kAdd =
    "INSERT INTO deployments (id, user_uuid, name, version, kind, state, created_at, finished_at, plan, error, "
    "journal, live)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

constexpr const char* kHasRelease = "SELECT 1 FROM releases WHERE id = ?1";

constexpr const char* kAddSecret = "INSERT INTO deployment_secrets (deployment_id, name, version) VALUES (?1, ?2, ?3)";

// Of the rows of one name: `kept` goes to the one that was live, and stays where it is when the one that is to be live
// is so already.
constexpr const char* kKeep =
    "UPDATE deployments SET kept = live WHERE (live = 1 OR kept = 1) AND id <> ?1"
    " AND name = (SELECT name FROM deployments WHERE id = ?1)"
    " AND NOT EXISTS (SELECT 1 FROM deployments WHERE id = ?1 AND live = 1)";

constexpr const char* kRetire =
    "UPDATE deployments SET live = 0 WHERE live = 1 AND name = (SELECT name FROM deployments WHERE id = ?1)";

constexpr const char* kForget =
    "UPDATE deployments SET live = 0, kept = 0 WHERE (live = 1 OR kept = 1)"
    " AND name = (SELECT name FROM deployments WHERE id = ?1)";

constexpr const char* kUpdate =
    "UPDATE deployments SET state = ?2, plan = ?3, error = ?4, journal = ?5, finished_at = ?6, live = ?7,"
    " kept = kept AND NOT ?7 WHERE id = ?1";

constexpr const char* kMove = "UPDATE deployments SET journal = ?2 WHERE id = ?1 AND live = 1";

constexpr const char* kMoveSecret =
    "INSERT INTO deployment_secrets (deployment_id, name, version) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (deployment_id, name) DO UPDATE SET version = ?3";

constexpr const char* kRunsWith =
    "SELECT 1 FROM deployment_secrets u JOIN deployments d ON d.id = u.deployment_id"
    " WHERE u.name = ?2 AND u.version = ?3 AND d.user_uuid = ?1 AND (d.live = 1 OR d.finished_at IS NULL) LIMIT 1";

Error no_such_deployment() {
  return {Code::deployment_not_found, "there is no such deployment", "Check its id: leger status shows what runs.", {}};
}

Deployment deployment_of(const Statement& row) {
  return {.id = row.text(0),
          .user_uuid = row.text(1),
          .name = row.text(2),
          .version = static_cast<std::uint64_t>(row.integer(3)),
          .kind = row.text(4),
          .state = row.text(5),
          .created_at = row.text(6),
          .finished_at = row.optional_text(7),
          .plan = row.text(8),
          .error = row.text(9),
          .journal = row.text(10),
          .live = row.integer(11) == 1};
}

Result<std::optional<Deployment>> find(Statement& statement) {
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return std::nullopt;
  return deployment_of(statement);
}

Result<std::vector<Deployment>> all(Statement& statement) {
  std::vector<Deployment> deployments;
  while (true) {
    auto deployment = find(statement);
    if (!deployment) return Fail(deployment.error());
    if (!*deployment) return deployments;
    deployments.push_back(**std::move(deployment));
  }
}

Result<void> refuse_second(Connection& connection) {
  Statement statement = connection.prepare(kUnfinished);
  const auto running = find(statement);
  if (!running) return Fail(running.error());
  if (!*running) return {};
  return Fail({Code::conflict, "a deployment of " + (*running)->name + " has not ended",
               "Wait for its end: one deployment runs at a time.", dump(Json{{"id", (*running)->id}})});
}

// Its deletion looks at deployments in its own transaction: one of the two sees the other.
Result<void> refuse_without_release(Connection& connection, const Deployment& deployment) {
  if (deployment.release_id.empty()) return {};
  Statement statement = connection.prepare(kHasRelease);
  const auto row = statement.bind(1, deployment.release_id).step();
  if (!row) return Fail(row.error());
  if (*row) return {};
  return Fail({Code::release_not_found,
               "the release was deleted while its deployment was prepared",
               "See which there are: leger releases list",
               {}});
}

// Makes room for `next` to be live.
Result<void> retire_live(Connection& connection, const Deployment& next) {
  Result<void> kept;
  if (!next.is_repeat) kept = connection.prepare(kKeep).bind(1, next.id).run();
  if (!kept) return kept;
  return connection.prepare(kRetire).bind(1, next.id).run();
}

Result<void> insert(Connection& connection, const Deployment& deployment) {
  return connection.prepare(kAdd)
      .bind(1, deployment.id)
      .bind(2, deployment.user_uuid)
      .bind(3, deployment.name)
      .bind(4, static_cast<std::int64_t>(deployment.version))
      .bind(5, deployment.kind)
      .bind(6, deployment.state)
      .bind(7, deployment.created_at)
      .bind_optional(8, deployment.finished_at)
      .bind(9, deployment.plan)
      .bind(10, deployment.error)
      .bind(11, deployment.journal)
      .bind(12, deployment.live ? 1 : 0)
      .run();
}

Result<void> add_deployment(Connection& connection, const Deployment& deployment, const AuditRecord& audit) {
  if (auto alone = refuse_second(connection); !alone) return alone;
  if (auto there = refuse_without_release(connection, deployment); !there) return there;
  if (auto added = insert(connection, deployment); !added) return added;
  for (const auto& [name, version] : deployment.secrets) {
    Statement statement = connection.prepare(kAddSecret);
    statement.bind(1, deployment.id).bind(2, name).bind(3, static_cast<std::int64_t>(version));
    if (auto added = statement.run(); !added) return added;
  }
  return append_audit(connection, audit);
}

Result<void> update_deployment(Connection& connection, const Deployment& deployment) {
  const bool removed = deployment.state == "removed";
  if (removed) {
    if (auto forgotten = connection.prepare(kForget).bind(1, deployment.id).run(); !forgotten) return forgotten;
  } else if (deployment.live) {
    if (auto retired = retire_live(connection, deployment); !retired) return retired;
  }
  auto updated = connection.prepare(kUpdate)
                     .bind(1, deployment.id)
                     .bind(2, deployment.state)
                     .bind(3, deployment.plan)
                     .bind(4, deployment.error)
                     .bind(5, deployment.journal)
                     .bind_optional(6, deployment.finished_at)
                     .bind(7, deployment.live && !removed ? 1 : 0)
                     .run();
  if (!updated) return updated;
  if (connection.changes() == 1) return {};
  return Fail(no_such_deployment());
}

Result<void> move_secrets(Connection& connection, const SecretMove& move) {
  auto moved = connection.prepare(kMove).bind(1, move.deployment_id).bind(2, move.journal).run();
  if (!moved) return moved;
  if (connection.changes() != 1) return Fail(no_such_deployment());
  for (const auto& [name, version] : move.secrets) {
    Statement statement = connection.prepare(kMoveSecret);
    statement.bind(1, move.deployment_id).bind(2, name).bind(3, static_cast<std::int64_t>(version));
    if (auto changed = statement.run(); !changed) return changed;
  }
  return {};
}

}  // namespace

Result<std::vector<Deployment>> Deployments::list(const DeploymentQuery& query) {
  Statement statement = database_.reader().prepare(kList);
  statement.bind(1, query.name).bind(2, query.before).bind(3, query.limit);
  return all(statement);
}

Result<std::uint64_t> Deployments::count(const std::string& name) {
  Statement statement = database_.reader().prepare(kCount);
  const auto row = statement.bind(1, name).step();
  if (!row) return Fail(row.error());
  return static_cast<std::uint64_t>(statement.integer(0));
}

Result<Deployment> Deployments::get(const std::string& id) {
  Statement statement = database_.reader().prepare(kGet);
  statement.bind(1, id);
  auto deployment = find(statement);
  if (!deployment) return Fail(deployment.error());
  if (!*deployment) return Fail(no_such_deployment());
  return **std::move(deployment);
}

Result<std::vector<Deployment>> Deployments::live() {
  Statement statement = database_.reader().prepare(kLive);
  return all(statement);
}

Result<std::optional<Deployment>> Deployments::live(const std::string& name) {
  Statement statement = database_.reader().prepare(kLiveOfName);
  statement.bind(1, name);
  return find(statement);
}

Result<bool> Deployments::is_quarantined(const std::string& name, const std::string& release_sha256) {
  Statement statement = database_.reader().prepare(kQuarantined);
  const auto row = statement.bind(1, name).bind(2, release_sha256).step();
  if (!row) return Fail(row.error());
  return *row && statement.integer(0) == 1;
}

Result<std::optional<Deployment>> Deployments::kept(const std::string& name) {
  Statement statement = database_.reader().prepare(kKept);
  statement.bind(1, name);
  return find(statement);
}

Result<std::vector<Deployment>> Deployments::in_use() {
  Statement statement = database_.reader().prepare(kInUse);
  return all(statement);
}

Result<std::vector<Deployment>> Deployments::unfinished() {
  Statement statement = database_.reader().prepare(kUnfinished);
  return all(statement);
}

Task<Result<void>> Deployments::add(Deployment deployment, AuditRecord audit) {
  return database_.write([deployment = std::move(deployment), audit = std::move(audit)](Connection& connection) {
    return add_deployment(connection, deployment, audit);
  });
}

Result<bool> Deployments::runs_with(const std::string& user_uuid, const std::string& secret, std::uint64_t version) {
  Statement statement = database_.reader().prepare(kRunsWith);
  return statement.bind(1, user_uuid).bind(2, secret).bind(3, static_cast<std::int64_t>(version)).step();
}

Task<Result<void>> Deployments::update(Deployment deployment, std::optional<AuditRecord> audit,
                                       std::vector<SecretMove> moves) {
  return database_.write([deployment = std::move(deployment), audit = std::move(audit),
                          moves = std::move(moves)](Connection& connection) -> Result<void> {
    auto updated = update_deployment(connection, deployment);
    for (const SecretMove& move : moves) {
      if (updated) updated = move_secrets(connection, move);
    }
    if (!updated || !audit) return updated;
    return append_audit(connection, *audit);
  });
}

}  // namespace leger
