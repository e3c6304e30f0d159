#include "backend/service/deployer.h"

#include <exception>
#include <fstream>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/crypto/seal.h"
#include "backend/service/deploy_steps.h"

namespace leger {
namespace {

Result<Manifest> unpack_checked(const std::string& bundle, const std::string& sha256, const std::string& folder) {
  std::ifstream file(bundle, std::ios::binary);
  std::string block(64 * 1024, '\0');
  Sha256 hash;
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    hash.update(std::string_view(block).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  if (hash.hex() != sha256) {
    return Fail(
        {Code::internal_error, "The stored bundle " + bundle + " is damaged.", "Upload the release again.", {}});
  }
  return unpack_bundle(bundle, folder);
}

}  // namespace

std::string report_json(const Error& error) {
  Json report{{"code", name_of(error.code)}, {"message", error.message}};
  if (!error.action.empty()) report["action"] = error.action;
  return dump(report);
}

Result<void> Deployer::check_free() const {
  if (busy_ == Busy::recovering) {
    return Fail({Code::unavailable, "legerd is finishing what was interrupted.", "Try again in a moment.", {}});
  }
  if (busy_ == Busy::no) return {};
  return Fail({Code::conflict, "Another deployment is running on this host.", "Wait for it: leger deploy list",
               dump(Json{{"id", running_id_}})});
}

void Deployer::launch(Task<void> task, Hold& hold) {
  hold.kept = true;
  parts_.loop.spawn(hold_during(std::move(task)), [this](std::exception_ptr problem) {
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& bug) {
      parts_.log.error("a deployment failed with an exception", {{"WHAT", bug.what()}});
    }
  });
}

Task<void> Deployer::hold_during(Task<void> task) {
  const Hold hold(*this, Busy::deploying);
  co_await task;
}

Task<Result<void>> Deployer::set_state(Deployment& row, std::string state) {
  row.state = std::move(state);
  co_return co_await parts_.deployments.update(row);
}

AuditRecord Deployer::audit_of(const Deployment& row, const Actor& actor, std::string outcome) const {
  AuditRecord audit = parts_.audit.record(actor, "deployment." + row.kind, row.name);
  audit.version = row.version;
  audit.outcome = std::move(outcome);
  return audit;
}

// The last state of a deployment, on record with it.
Task<Result<void>> Deployer::end(Deployment& row, std::string state) {
  row.state = std::move(state);
  row.finished_at = rfc3339(parts_.loop.clock().wall_seconds());
  co_return co_await parts_.deployments.update(row, audit_of(row, deployment_actor(row), row.state));
}

Task<void> Deployer::finish(Deployment row, std::string state) {
  auto written = co_await end(row, std::move(state));
  if (!written) {
    parts_.log.error("the end of a deployment cannot be written; it is finished at the next start",
                     {{"APP", row.name}, {"WHY", written.error().message}});
  }
  report(row);
}

void Deployer::report(const Deployment& row) const {
  const auto failure = text_field(Json::parse(row.error, nullptr, false), "message").value_or("");
  const std::string text = "deployment " + row.state;
  if (failure.empty()) {
    parts_.log.info(text, {{"APP", row.name}, {"KIND", row.kind}, {"DEPLOYMENT", row.id}});
  } else {
    parts_.log.warning(text, {{"APP", row.name}, {"KIND", row.kind}, {"DEPLOYMENT", row.id}, {"WHY", failure}});
  }
}

Task<Result<std::string>> Deployer::install(Actor actor, std::uint64_t version) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  auto release = parts_.releases.get(actor.user_uuid, version);
  if (!release) co_return Fail(release.error());
  co_return co_await start_install(std::move(actor), std::move(*release));
}

Result<void> Deployer::check_owner(const std::string& user_uuid, const std::string& name,
                                   const std::optional<Deployment>& live) {
  const bool foreign = live ? live->user_uuid != user_uuid : parts_.installer.is_live(name);
  if (!foreign) return {};
  return Fail({Code::conflict,
               "There is a folder \"" + name + "\" already that Leger did not install for you.",
               "Move " + parts_.installer.live_path(name) + " away, or rename the deployment.",
               {}});
}

Task<Result<std::string>> Deployer::start_install(Actor actor, Release release) {
  Hold hold(*this, Busy::deploying);
  running_id_ = random_uuid();
  auto live = parts_.deployments.live(release.deployment_name);
  if (!live) co_return Fail(live.error());
  auto settled = co_await settle_failed(release.deployment_name);
  if (!settled) co_return Fail(settled.error());
  auto ours = check_owner(actor.user_uuid, release.deployment_name, *live);
  if (!ours) co_return Fail(ours.error());
  Deployment row{.id = running_id_,
                 .user_uuid = actor.user_uuid,
                 .name = release.deployment_name,
                 .version = release.version,
                 .kind = "install",
                 .state = "preflight",
                 .created_at = rfc3339(parts_.loop.clock().wall_seconds()),
                 .release_id = release.id};
  auto prepared = co_await stage_and_judge(row, std::move(release), std::move(*live));
  Result<void> added;
  if (prepared) added = co_await parts_.deployments.add(row, audit_of(row, actor, "started"));
  if (!prepared || !added) {
    co_await drop_staging(row.id);
    co_return Fail(prepared ? added.error() : prepared.error());
  }
  std::string id = row.id;
  launch(run_install(std::move(row), std::move(*prepared)), hold);
  co_return id;
}

Task<Result<Manifest>> Deployer::stage(std::string id, Release release) {
  auto manifest = co_await offload(parts_.loop, [this, &id, &release]() -> Result<Manifest> {
    auto prepared = parts_.installer.prepare();
    if (!prepared) return Fail(prepared.error());
    return unpack_checked(parts_.releases.path_of(release), release.sha256, parts_.installer.staging_path(id));
  });
  if (manifest) co_return manifest;
  // A release that was deleted meanwhile is not a damaged one.
  const auto still = parts_.releases.get(release.user_uuid, release.version);
  co_return Fail(still ? manifest.error() : still.error());
}

// Fills in the row's plan and journal.
Task<Result<Prepared>> Deployer::stage_and_judge(Deployment& row, Release release, std::optional<Deployment> live) {
  auto manifest = co_await stage(row.id, std::move(release));
  if (!manifest) co_return Fail(manifest.error());
  auto prepared = co_await preflight(parts_, row.user_uuid, row.id, std::move(*manifest), std::move(live));
  if (!prepared) co_return Fail(prepared.error());
  row.plan = plan_json(prepared->plan, prepared->staged);
  row.journal = to_json(prepared->staged);
  row.secrets = prepared->staged.secrets;
  co_return prepared;
}

Task<void> Deployer::run_install(Deployment row, Prepared prepared) {
  if (!prepared.plan.switches) co_await drop_staging(row.id);
  auto done = co_await apply(row, prepared);
  if (done) done = co_await commit(row);
  if (!done) {
    const Restarts restarts = row.state == "switching" ? Restarts::none_yet : Restarts::perhaps;
    co_await roll_back(std::move(row), std::move(done.error()), restarts);
    co_return;
  }
  // One generation back is kept: the staging folder of this deployment, where it holds what was live before it.
  if (!prepared.live) co_await drop_staging(row.id);
  co_await sweep_staging();
}

Task<Result<void>> Deployer::apply(Deployment& row, const Prepared& prepared) {
  auto done = co_await set_state(row, "switching");
  if (done) done = co_await switch_over(row, prepared);
  if (done) done = co_await set_state(row, "starting");
  if (done) done = co_await restart_units(parts_, prepared.plan.restart);
  if (done) done = co_await set_state(row, "checking");
  if (done && !prepared.plan.restart.empty()) done = co_await await_health(parts_, services_of(prepared.staged));
  co_return done;
}

Task<Result<void>> Deployer::switch_over(const Deployment& row, const Prepared& prepared) {
  auto done = co_await put_podman_secrets(parts_, deployment_actor(row), prepared.staged.secrets);
  if (done) done = co_await stop_units(parts_, prepared.plan.stop);
  if (done && prepared.plan.switches) {
    done = co_await offload(parts_.loop, [&] { return parts_.installer.switch_in(row.id, row.name); });
  }
  if (done) done = co_await parts_.units.reload();
  if (done) done = co_await check_loaded(parts_, parts_.installer.live_path(row.name), prepared.staged.units);
  co_return done;
}

Task<Result<void>> Deployer::commit(Deployment& row) {
  Deployment committed = row;
  committed.live = true;
  auto written = co_await end(committed, "deployed");
  if (written) report(committed);
  co_return written;
}

}  // namespace leger
