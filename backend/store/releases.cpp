#include "backend/store/releases.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "backend/base/json.h"
#include "backend/store/in_use.h"
#include "backend/store/sql.h"

namespace leger {
namespace {

constexpr const char* kList =
    "SELECT r.id, r.user_uuid, r.version, r.deployment_name, r.r2_path, r.bundle_size_bytes, r.sha256, r.created_at,"
    " m.files, m.services, m.secrets_required"
    " FROM releases r JOIN manifests m ON m.user_uuid = r.user_uuid AND m.version = r.version"
    " WHERE r.user_uuid = ?1 AND r.version < ?2 AND (?3 = '' OR r.deployment_name = ?3) ORDER BY r.version DESC LIMIT "
    "?4";

constexpr const char* kCount =
    "SELECT count(*) FROM releases WHERE user_uuid = ?1 AND (?2 = '' OR deployment_name = ?2)";

constexpr const char* kGet =
    "SELECT r.id, r.user_uuid, r.version, r.deployment_name, r.r2_path, r.bundle_size_bytes, r.sha256, r.created_at,"
    " m.files, m.services, m.secrets_required"
    " FROM releases r JOIN manifests m ON m.user_uuid = r.user_uuid AND m.version = r.version"
    " WHERE r.user_uuid = ?1 AND r.version = ?2";

constexpr const char* kLatest =
    "SELECT r.id, r.user_uuid, r.version, r.deployment_name, r.r2_path, r.bundle_size_bytes, r.sha256, r.created_at,"
    " m.files, m.services, m.secrets_required"
    " FROM latest_manifests l JOIN manifests m ON m.manifest_id = l.manifest_id"
    " JOIN releases r ON r.user_uuid = m.user_uuid AND r.version = m.version WHERE l.user_uuid = ?1";

constexpr const char* kLatestOfName =
    "SELECT r.id, r.user_uuid, r.version, r.deployment_name, r.r2_path, r.bundle_size_bytes, r.sha256, r.created_at,"
    " m.files, m.services, m.secrets_required"
    " FROM releases r JOIN manifests m ON m.user_uuid = r.user_uuid AND m.version = r.version"
    " WHERE r.user_uuid = ?1 AND r.deployment_name = ?2 ORDER BY r.version DESC LIMIT 1";

constexpr const char* kLatestHash =
    "SELECT sha256 FROM releases WHERE user_uuid = ?1 AND deployment_name = ?2 ORDER BY version DESC LIMIT 1";

constexpr const char* kAllot =
    "UPDATE users SET last_release_version = last_release_version + 1 WHERE user_uuid = ?1 RETURNING "
    "last_release_version";

constexpr const char* kAddRelease =
    "INSERT INTO releases (id, user_uuid, version, deployment_name, r2_path, bundle_size_bytes, created_at, sha256)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr const char* kAddManifest =
    "INSERT INTO manifests (manifest_id, user_uuid, version, deployment_name, r2_path, bundle_size_bytes, created_at, "
    "files,"
    " services, secrets_required) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

constexpr const char* kPoint =
    "INSERT INTO latest_manifests (user_uuid, version, manifest_id, updated_at) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (user_uuid) DO UPDATE SET version = ?2, manifest_id = ?3, updated_at = ?4";

// Those of one name beyond the newest N, but what a deployment holds on to.
constexpr auto kDropOld = joined(
    "DELETE FROM releases AS r WHERE r.user_uuid = ?1 AND r.deployment_name = ?2 AND r.version IN (SELECT n.version"
    " FROM releases n WHERE n.user_uuid = ?1 AND n.deployment_name = ?2 ORDER BY n.version DESC LIMIT -1 OFFSET ?3)"
    " AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.user_uuid = ?1 AND d.version = r.version AND ",
    kIsInUse, ") RETURNING r2_path");

constexpr auto kAppsOf =
    joined("SELECT DISTINCT d.name FROM deployments d WHERE d.user_uuid = ?1 AND d.version = ?2 AND ", kIsInUse,
           " ORDER BY d.name");

// The manifest goes with it, and the latest pointer where it is this one's.
constexpr const char* kDelete = "DELETE FROM releases WHERE user_uuid = ?1 AND version = ?2";

constexpr const char* kPointAtNewest =
    "INSERT INTO latest_manifests (user_uuid, version, manifest_id, updated_at) SELECT user_uuid, version, manifest_id,"
    " ?2 FROM manifests WHERE user_uuid = ?1 ORDER BY version DESC LIMIT 1 ON CONFLICT (user_uuid) DO NOTHING";

constexpr const char* kPaths = "SELECT r2_path FROM releases";

Error no_such_release() {
  return {Code::release_not_found, "there is no such release", "See which there are: leger releases list", {}};
}

// A list of names as the store keeps it, a JSON array of texts.
Result<std::vector<std::string>> names_of(const std::string& text) {
  const Json list = Json::parse(text, nullptr, false);
  bool is_whole = list.is_array();
  std::vector<std::string> names;
  for (const Json& name : list) {
    is_whole = is_whole && name.is_string();
    if (is_whole) names.push_back(name.get<std::string>());
  }
  if (is_whole) return names;
  return Fail({Code::internal_error, "a manifest in the store is damaged", "Restore the database from a backup.", {}});
}

Result<Release> release_of(const Statement& row) {
  Release release{.id = row.text(0),
                  .user_uuid = row.text(1),
                  .version = static_cast<std::uint64_t>(row.integer(2)),
                  .deployment_name = row.text(3),
                  .r2_path = row.text(4),
                  .bundle_size_bytes = static_cast<std::uint64_t>(row.integer(5)),
                  .sha256 = row.text(6),
                  .created_at = row.text(7),
                  .files = {},
                  .services = {},
                  .secrets_required = {}};
  int column = 8;
  for (auto* list : {&release.files, &release.services, &release.secrets_required}) {
    auto names = names_of(row.text(column++));
    if (!names) return Fail(names.error());
    *list = *std::move(names);
  }
  return release;
}

// The one release that the bound statement finds.
Result<std::optional<Release>> find(Statement& statement) {
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return std::nullopt;
  auto release = release_of(statement);
  if (!release) return Fail(release.error());
  return *std::move(release);
}

Result<Release> found(Statement& statement) {
  auto release = find(statement);
  if (!release) return Fail(release.error());
  if (!*release) return Fail(no_such_release());
  return **std::move(release);
}

// The newest release of the same name, where it has the same bytes.
Result<std::optional<Release>> same_as_newest(Connection& connection, const Release& release) {
  {
    Statement statement = connection.prepare(kLatestHash);
    const auto row = statement.bind(1, release.user_uuid).bind(2, release.deployment_name).step();
    if (!row) return Fail(row.error());
    if (!*row || statement.text(0) != release.sha256) return std::nullopt;
  }
  Statement statement = connection.prepare(kLatestOfName);
  statement.bind(1, release.user_uuid).bind(2, release.deployment_name);
  return find(statement);
}

Result<std::uint64_t> allot_version(Connection& connection, const std::string& user_uuid) {
  Statement statement = connection.prepare(kAllot);
  const auto row = statement.bind(1, user_uuid).step();
  if (!row) return Fail(row.error());
  if (!*row) return Fail({Code::internal_error, "a release was added for an account that does not exist", {}, {}});
  return static_cast<std::uint64_t>(statement.integer(0));
}

Result<void> insert_rows(Connection& connection, const Release& release) {
  const auto version = static_cast<std::int64_t>(release.version);
  const auto size = static_cast<std::int64_t>(release.bundle_size_bytes);
  auto added = connection.prepare(kAddRelease)
                   .bind(1, release.id)
                   .bind(2, release.user_uuid)
                   .bind(3, version)
                   .bind(4, release.deployment_name)
                   .bind(5, release.r2_path)
                   .bind(6, size)
                   .bind(7, release.created_at)
                   .bind(8, release.sha256)
                   .run();
  if (!added) return added;
  // One manifest a release: it carries the release's id.
  added = connection.prepare(kAddManifest)
              .bind(1, release.id)
              .bind(2, release.user_uuid)
              .bind(3, version)
              .bind(4, release.deployment_name)
              .bind(5, release.r2_path)
              .bind(6, size)
              .bind(7, release.created_at)
              .bind(8, dump(release.files))
              .bind(9, dump(release.services))
              .bind(10, dump(release.secrets_required))
              .run();
  if (!added) return added;
  Statement point = connection.prepare(kPoint);
  return point.bind(1, release.user_uuid).bind(2, version).bind(3, release.id).bind(4, release.created_at).run();
}

// The texts of the first column of all rows.
Result<std::vector<std::string>> texts_of(Statement& statement) {
  std::vector<std::string> texts;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return texts;
    texts.push_back(statement.text(0));
  }
}

Result<std::vector<std::string>> drop_old(Connection& connection, const AddRelease& add) {
  Statement statement = connection.prepare(kDropOld.data());
  statement.bind(1, add.release.user_uuid)
      .bind(2, add.release.deployment_name)
      .bind(3, std::max<std::int64_t>(add.keep, 1));
  return texts_of(statement);
}

Result<AddOutcome> add_release(Connection& connection, const AddRelease& add) {
  Release release = add.release;
  auto same = same_as_newest(connection, release);
  if (!same) return Fail(same.error());
  if (*same) return AddOutcome{.release = **std::move(same), .created = false, .dropped = {}};
  const auto version = allot_version(connection, release.user_uuid);
  if (!version) return Fail(version.error());
  release.version = *version;
  release.r2_path = release.user_uuid + "/v" + std::to_string(*version) + ".tar.gz";
  if (auto inserted = insert_rows(connection, release); !inserted) return Fail(inserted.error());
  auto dropped = drop_old(connection, add);
  if (!dropped) return Fail(dropped.error());
  AuditRecord record = add.audit;
  record.version = release.version;
  if (auto appended = append_audit(connection, record); !appended) return Fail(appended.error());
  // Last, so that rows that cannot be written leave no file behind.
  if (auto placed = add.place(release); !placed) return Fail(placed.error());
  return AddOutcome{.release = std::move(release), .created = true, .dropped = *std::move(dropped)};
}

Result<Release> get_release(Connection& connection, const std::string& user_uuid, std::uint64_t version) {
  Statement statement = connection.prepare(kGet);
  statement.bind(1, user_uuid).bind(2, static_cast<std::int64_t>(version));
  return found(statement);
}

Result<void> refuse_if_used(Connection& connection, const Release& release) {
  Statement statement = connection.prepare(kAppsOf.data());
  statement.bind(1, release.user_uuid).bind(2, static_cast<std::int64_t>(release.version));
  const auto apps = texts_of(statement);
  if (!apps) return Fail(apps.error());
  if (apps->empty()) return {};
  std::string listed;
  for (const std::string& app : *apps) listed += (listed.empty() ? "" : ", ") + app;
  return Fail({Code::conflict, "the release is deployed, or kept for a rollback, of " + listed,
               "Remove it first (leger deploy remove NAME), or deploy other releases, twice.",
               dump(Json{{"apps", *apps}})});
}

Result<Release> remove_release(Connection& connection, const std::string& user_uuid, std::uint64_t version,
                               const AuditRecord& audit) {
  auto release = get_release(connection, user_uuid, version);
  if (!release) return release;
  if (auto unused = refuse_if_used(connection, *release); !unused) return Fail(unused.error());
  const auto number = static_cast<std::int64_t>(version);
  auto done = connection.prepare(kDelete).bind(1, user_uuid).bind(2, number).run();
  if (done) done = connection.prepare(kPointAtNewest).bind(1, user_uuid).bind(2, audit.time).run();
  AuditRecord record = audit;
  record.object = release->deployment_name;
  record.version = version;
  if (done) done = append_audit(connection, record);
  if (!done) return Fail(done.error());
  return release;
}

}  // namespace

Result<std::vector<Release>> SqliteReleases::list(const ReleaseQuery& query) {
  Statement statement = database_.reader().prepare(kList);
  const bool from_newest = query.before == 0 || query.before > INT64_MAX;
  statement.bind(1, query.user_uuid)
      .bind(2, from_newest ? INT64_MAX : static_cast<std::int64_t>(query.before))
      .bind(3, query.deployment_name)
      .bind(4, query.limit);
  std::vector<Release> releases;
  while (true) {
    auto release = find(statement);
    if (!release) return Fail(release.error());
    if (!*release) return releases;
    releases.push_back(**std::move(release));
  }
}

Result<std::uint64_t> SqliteReleases::count(const std::string& user_uuid, const std::string& deployment_name) {
  Statement statement = database_.reader().prepare(kCount);
  const auto row = statement.bind(1, user_uuid).bind(2, deployment_name).step();
  if (!row) return Fail(row.error());
  return static_cast<std::uint64_t>(statement.integer(0));
}

Result<Release> SqliteReleases::get(const std::string& user_uuid, std::uint64_t version) {
  return get_release(database_.reader(), user_uuid, version);
}

Result<Release> SqliteReleases::latest(const std::string& user_uuid, const std::string& deployment_name) {
  Statement statement = database_.reader().prepare(deployment_name.empty() ? kLatest : kLatestOfName);
  statement.bind(1, user_uuid);
  if (!deployment_name.empty()) statement.bind(2, deployment_name);
  return found(statement);
}

Result<std::vector<std::string>> SqliteReleases::paths() {
  Statement statement = database_.reader().prepare(kPaths);
  return texts_of(statement);
}

Task<Result<AddOutcome>> SqliteReleases::add(AddRelease add) {
  auto outcome = std::make_shared<AddOutcome>();
  auto written = co_await database_.write([outcome, add = std::move(add)](Connection& connection) -> Result<void> {
    auto added = add_release(connection, add);
    if (!added) return Fail(added.error());
    *outcome = *std::move(added);
    return {};
  });
  if (!written) co_return Fail(written.error());
  co_return std::move(*outcome);
}

Task<Result<Release>> SqliteReleases::remove(std::string user_uuid, std::uint64_t version, AuditRecord audit) {
  auto removed = std::make_shared<Release>();
  auto written = co_await database_.write([removed, user = std::move(user_uuid), version,
                                           audit = std::move(audit)](Connection& connection) -> Result<void> {
    auto release = remove_release(connection, user, version, audit);
    if (!release) return Fail(release.error());
    *removed = *std::move(release);
    return {};
  });
  if (!written) co_return Fail(written.error());
  co_return std::move(*removed);
}

Task<void> SqliteReleases::between(std::function<void()> work) {
  const auto done = co_await database_.write([work = std::move(work)](Connection&) -> Result<void> {
    work();
    return {};
  });
  static_cast<void>(done);  // an empty transaction has nothing to lose
}

}  // namespace leger
