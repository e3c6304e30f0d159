#include "backend/service/deployer.h"

#include <exception>
#include <fstream>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/crypto/seal.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/images.h"
#include "backend/service/unit_ties.h"

namespace leger {
namespace {

Result<Manifest> unpack_checked(const std::string& bundle, const std::string& sha256, const std::string& folder,
                                Code damaged) {
  std::ifstream file(bundle, std::ios::binary);
  std::string block(64 * 1024, '\0');
  Sha256 hash;
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    hash.update(std::string_view(block).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  if (hash.hex() != sha256) {
    return Fail({damaged, "The stored bundle " + bundle + " is damaged.", "Upload the release again.", {}});
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
  parts_.loop.spawn(hold_during(std::move(task)), [this, id = running_id_](std::exception_ptr problem) {
    events_.end(id);
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& bug) {
      parts_.log.error("a deployment failed with an exception", {{"WHAT", bug.what()}});
    }
  });
}

Task<void> Deployer::hold_during(Task<void> task) {
  const std::string id = running_id_;
  {
    const Hold hold(*this, Busy::deploying);
    co_await task;
  }
  if (secrets_are_wrong_) look_later();
  // Not before the next one may start: who watched may want that at once.
  events_.end(id);
}

void Deployer::tell_state(const Deployment& row) {
  const Json error = Json::parse(row.error, nullptr, false);
  events_.state(row.id, row.state, text_field(error, "message").value_or(""));
}

Task<Result<void>> Deployer::set_state(Deployment& row, std::string state) {
  row.state = std::move(state);
  auto written = co_await parts_.deployments.update(row);
  tell_state(row);
  co_return written;
}

AuditRecord Deployer::audit_of(const Deployment& row, const Actor& actor, std::string outcome) const {
  AuditRecord audit = parts_.audit.record(actor, "deployment." + row.kind, row.name);
  if (row.version != 0) audit.version = row.version;  // a sync is of no release
  audit.outcome = std::move(outcome);
  return audit;
}

// The last state of a deployment, on record with it.
Task<Result<void>> Deployer::end(Deployment& row, std::string state, std::vector<SecretMove> moves) {
  row.state = std::move(state);
  row.finished_at = rfc3339(parts_.loop.clock().wall_seconds());
  auto written =
      co_await parts_.deployments.update(row, audit_of(row, deployment_actor(row), row.state), std::move(moves));
  if (written) tell_state(row);
  co_return written;
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

Task<Result<std::string>> Deployer::install(Actor actor, std::uint64_t version, InstallOptions options) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  auto release = parts_.releases.get(actor.user_uuid, version);
  if (!release) co_return Fail(release.error());
  co_return co_await start_install(std::move(actor), std::move(*release), std::move(options));
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

Task<Result<std::string>> Deployer::start_install(Actor actor, Release release, InstallOptions options) {
  Hold hold(*this, Busy::deploying);
  running_id_ = random_uuid();
  auto live = parts_.deployments.live(release.deployment_name);
  if (!live) co_return Fail(live.error());
  auto settled = co_await settle_failed(release.deployment_name);
  if (!settled) co_return Fail(settled.error());
  auto ours = check_owner(actor.user_uuid, release.deployment_name, *live);
  if (!ours) co_return Fail(ours.error());
  auto allowed = check_quarantine(release, options.retry);
  if (!allowed) co_return Fail(allowed.error());
  Deployment row{.id = running_id_,
                 .user_uuid = actor.user_uuid,
                 .name = release.deployment_name,
                 .version = release.version,
                 .kind = "install",
                 .state = "preflight",
                 .created_at = rfc3339(parts_.loop.clock().wall_seconds()),
                 .release_id = release.id};
  auto prepared = co_await stage_and_judge(row, std::move(release), std::move(*live), std::move(options));
  Result<void> added;
  if (prepared) added = co_await parts_.deployments.add(row, audit_of(row, actor, "started"));
  if (!prepared || !added) {
    co_await drop_staging(row.id);
    co_return Fail(prepared ? added.error() : prepared.error());
  }
  std::string id = row.id;
  tell_state(row);
  launch(run_install(std::move(row), std::move(*prepared)), hold);
  co_return id;
}

Task<Result<Manifest>> Deployer::stage(std::string id, Release release, Code damaged) {
  auto manifest = co_await offload(parts_.loop, [this, &id, &release, damaged]() -> Result<Manifest> {
    auto prepared = parts_.installer.prepare();
    if (!prepared) return Fail(prepared.error());
    return unpack_checked(parts_.releases.path_of(release), release.sha256, parts_.installer.staging_path(id), damaged);
  });
  if (manifest) co_return manifest;
  // A release that was deleted meanwhile is not a damaged one.
  const auto still = parts_.releases.get(release.user_uuid, release.version);
  co_return Fail(still ? manifest.error() : still.error());
}

// Fills in the row's plan and journal.
Task<Result<Prepared>> Deployer::stage_and_judge(Deployment& row, Release release, std::optional<Deployment> live,
                                                 InstallOptions options) {
  std::string sha256 = release.sha256;
  // Another bundle than the one that a plan was made for is a plan out of date.
  const Code damaged = options.plan_id.empty() ? Code::internal_error : Code::conflict;
  auto manifest = co_await stage(row.id, std::move(release), damaged);
  if (!manifest) co_return Fail(manifest.error());
  auto prepared =
      co_await preflight(parts_, row.user_uuid, row.id, std::move(*manifest), std::move(sha256), std::move(live));
  if (!prepared) co_return Fail(prepared.error());
  auto agreed = check_agreed(*prepared, options);
  if (!agreed) co_return Fail(agreed.error());
  row.plan = plan_json(prepared->plan, prepared->staged, prepared->findings());
  row.journal = to_json(prepared->staged);
  row.secrets = prepared->staged.secrets;
  co_return prepared;
}

Task<void> Deployer::run_install(Deployment row, Prepared prepared) {
  if (!prepared.plan.switches) co_await drop_staging(row.id);
  auto done = co_await bring(row, prepared);
  if (!done) {
    co_await give_up_bringing(std::move(row), std::move(done.error()));
    co_return;
  }
  done = co_await apply(row, prepared);
  if (done) done = co_await commit(row, prepared);
  if (!done) {
    const Restarts restarts = row.state == "switching" ? Restarts::none_yet : Restarts::perhaps;
    co_await roll_back(std::move(row), std::move(done.error()), restarts);
    co_return;
  }
  if (prepared.live) co_await drop_leftovers(row.id);
  // One generation back is kept: the staging folder of this deployment, where it holds what was live before it.
  if (!prepared.live) co_await drop_staging(row.id);
  co_await sweep_staging();
}

Task<Result<void>> Deployer::apply(Deployment& row, const Prepared& prepared) {
  auto done = co_await set_state(row, "switching");
  if (done) done = co_await switch_over(row, prepared);
  if (done) done = co_await set_state(row, "starting");
  if (done) done = co_await start_and_check(row, prepared);
  co_return done;
}

// A release one of whose units fails here is in quarantine: its journal says so in the same write as the rollback
// begins. That systemd or Podman do not answer, or a unit of another app fails, says nothing about it.
Task<Result<void>> Deployer::start_and_check(Deployment& row, const Prepared& prepared) {
  auto started = co_await restart_units(parts_, without_pod_members(prepared.staged, prepared.plan.restart));
  if (started) {
    auto noted = co_await set_state(row, "checking");
    if (!noted) co_return noted;
    const auto others = with_pod_members(parts_.deployments, unit_names(prepared.others));
    if (!others) co_return Fail(others.error());
    std::vector<std::string> services = services_of(prepared.staged);
    services.insert(services.end(), others->begin(), others->end());
    if (!prepared.plan.restart.empty()) started = co_await await_health(parts_, std::move(services));
  }
  if (started) co_return started;
  const std::string unit = unit_of(started.error());
  if (!std::ranges::contains(prepared.staged.units, unit, &AppUnit::name)) co_return started;
  Generation failed = prepared.staged;
  failed.is_quarantined = true;
  row.journal = to_json(failed);
  co_return started;
}

Task<Result<void>> Deployer::switch_over(const Deployment& row, const Prepared& prepared) {
  auto done = co_await put_podman_secrets(parts_, deployment_actor(row), prepared.staged.secrets);
  if (done && row.kind == "rollback") done = co_await restore_images(parts_, prepared.staged, row.name, Shared::take);
  if (done) done = co_await stop_units(parts_, prepared.plan.stop);
  if (done && prepared.plan.switches) {
    done = co_await offload(parts_.loop, [&] { return parts_.installer.switch_in(row.id, row.name); });
  }
  if (done) done = co_await parts_.units.reload();
  if (done) done = co_await check_loaded(parts_, parts_.installer.live_path(row.name), prepared.staged.units);
  co_return done;
}

Task<Result<void>> Deployer::commit(Deployment& row, const Prepared& prepared) {
  Deployment committed = row;
  committed.live = true;
  committed.is_repeat = prepared.live && !prepared.plan.switches && prepared.plan.restart.empty() &&
                        prepared.live->secrets == prepared.staged.secrets;
  auto written = co_await end(committed, "deployed", prepared.others.moves);
  if (written) report(committed);
  co_return written;
}

}  // namespace leger
