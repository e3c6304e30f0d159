#include <utility>

#include "backend/base/json.h"
#include "backend/crypto/seal.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"
#include "backend/service/failure_report.h"
#include "backend/service/foreign_secrets.h"

// The part of the deployer that brings the secrets of deployed apps up to date. Its journal has the versions that were
// and that are to be; until it is committed every app's deployment has the old ones, and a failure goes back to them.

namespace leger {
namespace {

using Versions = std::map<std::string, std::uint64_t>;

struct SyncJournal {
  Versions before;
  Versions wanted;
  std::vector<std::string> units;
};

std::string journal_json(const SyncJournal& journal) {
  return dump(Json{{"before", journal.before}, {"wanted", journal.wanted}, {"units", journal.units}});
}

Result<SyncJournal> journal_from(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    return SyncJournal{.before = json.at("before").get<Versions>(),
                       .wanted = json.at("wanted").get<Versions>(),
                       .units = json.at("units").get<std::vector<std::string>>()};
  } catch (const Json::exception&) {
    return Fail({Code::internal_error, "The journal of a sync cannot be read.", {}, {}});
  }
}

Versions changed_versions(const SecretUsers& users, const Versions& wanted) {
  Versions changed;
  for (const auto& [name, version] : users.before) changed.emplace(name, wanted.at(name));
  return changed;
}

std::string sync_plan(const SecretUsers& users, const Versions& wanted) {
  Json units = Json::array();
  for (const PlannedUnit& unit : planned_units(users)) {
    units.push_back({{"name", unit.name}, {"change", unit.change}, {"reasons", unit.reasons}, {"app", unit.app}});
  }
  Json secrets = Json::array();
  for (const auto& [name, version] : users.before) {
    secrets.push_back({{"name", name}, {"version", wanted.at(name)}, {"version_before", version}});
  }
  return dump(Json{{"units", units}, {"restart", unit_names(users)}, {"secrets", secrets}});
}

}  // namespace

// Of all secrets that this account's apps were deployed with.
Result<Versions> Deployer::newest_secrets(const std::string& user_uuid) {
  const auto live = parts_.deployments.live();
  if (!live) return Fail(live.error());
  Versions newest;
  for (const Deployment& row : *live) {
    if (row.user_uuid != user_uuid) continue;
    const auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    for (const auto& [name, version] : generation->secrets) {
      const auto secret = parts_.secrets.check(user_uuid, name);
      if (!secret) return Fail(secret.error());
      newest.insert_or_assign(name, secret->version);
    }
  }
  return newest;
}

Task<Result<SecretUsers>> Deployer::judge_sync(std::string user_uuid, Versions wanted) {
  const auto there = co_await parts_.podman.secrets();
  if (!there) co_return Fail(there.error());
  auto ours = check_foreign(foreign_secrets(*there, user_uuid, wanted), Adopt::no);
  if (!ours) co_return Fail(ours.error());
  std::vector<std::string> folders{parts_.installer.quadlet_dir()};
  const auto run = co_await parts_.generator.dry_run(std::move(folders));
  if (!run) co_return Fail(run.error());
  const auto live = parts_.deployments.live();
  if (!live) co_return Fail(live.error());
  co_return users_of_change(*live, *run, parts_.installer.quadlet_dir(),
                            {.user_uuid = std::move(user_uuid), .except = {}, .versions = std::move(wanted)});
}

Task<Result<std::string>> Deployer::sync(Actor actor) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  Hold hold(*this, Busy::deploying);
  running_id_ = random_uuid();
  auto settled = co_await settle_failed(std::string());
  if (!settled) co_return Fail(settled.error());
  const auto wanted = newest_secrets(actor.user_uuid);
  if (!wanted) co_return Fail(wanted.error());
  SecretUsers users;
  if (!wanted->empty()) {
    auto judged = co_await judge_sync(actor.user_uuid, *wanted);
    if (!judged) co_return Fail(judged.error());
    users = std::move(*judged);
  }
  Deployment row{.id = running_id_,
                 .user_uuid = actor.user_uuid,
                 .kind = "sync",
                 .state = "preflight",
                 .created_at = rfc3339(parts_.loop.clock().wall_seconds()),
                 .plan = sync_plan(users, *wanted),
                 .journal = journal_json({.before = users.before, .wanted = *wanted, .units = unit_names(users)}),
                 .secrets = changed_versions(users, *wanted)};
  auto added = co_await parts_.deployments.add(row, audit_of(row, actor, "started"));
  if (!added) co_return Fail(added.error());
  std::string id = row.id;
  launch(run_sync(std::move(row), std::move(users)), hold);
  co_return id;
}

Task<void> Deployer::run_sync(Deployment row, SecretUsers users) {
  const auto journal = journal_from(row.journal);
  Result<void> done;
  if (!journal) done = Fail(journal.error());
  if (done) done = co_await apply_sync(row, journal->wanted, journal->units);
  if (done) {
    Deployment committed = row;
    done = co_await end(committed, "deployed", std::move(users.moves));
    if (done) report(committed);
  }
  if (done) co_return;
  const Restarts restarts = row.state == "switching" ? Restarts::none_yet : Restarts::perhaps;
  co_await roll_back_sync(std::move(row), std::move(done.error()), restarts);
}

// Every secret is put that Podman lacks, also where no version changes.
Task<Result<void>> Deployer::apply_sync(Deployment& row, Versions wanted, std::vector<std::string> units) {
  auto done = co_await set_state(row, "switching");
  if (done) done = co_await put_podman_secrets(parts_, deployment_actor(row), std::move(wanted));
  if (!done || units.empty()) co_return done;
  done = co_await set_state(row, "starting");
  if (done) done = co_await restart_units(parts_, units);
  if (done) done = co_await set_state(row, "checking");
  if (!done) co_return done;
  auto judged = with_pod_members(parts_.deployments, std::move(units));
  if (!judged) co_return Fail(judged.error());
  co_return co_await await_health(parts_, std::move(*judged));
}

Task<void> Deployer::roll_back_sync(Deployment row, Error why, Restarts restarts) {
  if (row.error.empty()) row.error = report_json(why);
  auto noted = co_await set_state(row, "rolling_back");
  if (!noted) parts_.log.error("the state of a deployment cannot be written", {{"WHY", noted.error().message}});
  const auto journal = journal_from(row.journal);
  Result<void> undone;
  if (!journal) undone = Fail(journal.error());
  if (undone) undone = co_await put_podman_secrets(parts_, deployment_actor(row), journal->before);
  if (!undone) secrets_are_wrong_ = true;
  if (undone && restarts == Restarts::perhaps && !journal->units.empty()) {
    undone = co_await restart_units(parts_, journal->units);
    const auto judged = with_pod_members(parts_.deployments, journal->units);
    if (!judged) undone = Fail(judged.error());
    if (undone) undone = co_await await_health(parts_, *judged);
  }
  if (!undone) {
    parts_.log.error("a sync of secrets could not be rolled back", {{"WHY", undone.error().message}});
    row.error = add_to_report(row.error, " Rolling back failed too: " + undone.error().message, undone.error().action);
  }
  co_await finish(std::move(row), undone ? "rolled_back" : "failed");
}

}  // namespace leger
