#include <utility>

#include "backend/base/json.h"
#include "backend/crypto/seal.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"
#include "backend/service/found_objects.h"
#include "backend/service/host_checks.h"
#include "backend/service/images.h"

// The part of the deployer that brings images, and that goes back to the generation before on request: the same release
// is staged anew and deployed with the secrets and images of that time. Afterwards the two have changed places.

namespace leger {
Task<Result<std::string>> Deployer::go_back(Actor actor, std::string name) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  Hold hold(*this, Busy::deploying);
  running_id_ = random_uuid();
  auto live = check_live(actor.user_uuid, name);
  if (!live) co_return Fail(live.error());
  auto settled = co_await settle_failed(name);
  if (!settled) co_return Fail(settled.error());
  const auto kept = parts_.deployments.kept(name);
  if (!kept) co_return Fail(kept.error());
  if (!*kept) {
    co_return Fail({Code::conflict,
                    "There is nothing before the release of " + name + " that runs.",
                    "Deploy another one: leger releases list",
                    {}});
  }
  auto release = parts_.releases.get(actor.user_uuid, (*kept)->version);
  if (!release) co_return Fail(release.error());
  Deployment row{.id = running_id_,
                 .user_uuid = actor.user_uuid,
                 .name = std::move(name),
                 .version = (*kept)->version,
                 .kind = "rollback",
                 .state = "preflight",
                 .created_at = rfc3339(parts_.loop.clock().wall_seconds()),
                 .release_id = release->id};
  auto prepared = co_await stage_and_pin(row, std::move(*release), std::move(*live), **kept);
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

// What the row's deployment runs with is what `kept` ran with; it fills in the row's plan and journal.
Task<Result<Prepared>> Deployer::stage_and_pin(Deployment& row, Release release, Deployment live, Deployment kept) {
  auto before = generation_from_json(kept.journal);
  if (!before) co_return Fail(before.error());
  std::string sha256 = release.sha256;
  auto manifest = co_await stage(row.id, std::move(release), Code::internal_error);
  if (!manifest) co_return Fail(manifest.error());
  auto prepared = co_await preflight(parts_, row.user_uuid, row.id, std::move(*manifest), std::move(sha256),
                                     std::move(live), std::move(*before));
  if (!prepared) co_return Fail(prepared.error());
  // What it may do to the host was accepted when it was installed; what somebody made since then was not.
  InstallOptions options;
  for (const Finding& flag : prepared->flags) {
    if (is_replaced(flag)) prepared->denied.emplace_back(flag).level = "denied";
    options.accept_flags.push_back(flag.id);
  }
  auto agreed = check_agreed(*prepared, options);
  if (!agreed) co_return Fail(agreed.error());
  row.plan = plan_json(prepared->plan, prepared->staged, prepared->findings());
  row.journal = to_json(prepared->staged);
  row.secrets = prepared->staged.secrets;
  co_return prepared;
}

Result<Deployment> Deployer::check_live(const std::string& user_uuid, const std::string& name) {
  auto live = parts_.deployments.live(name);
  if (!live) return Fail(live.error());
  if (*live && (*live)->user_uuid == user_uuid) return std::move(**live);
  return Fail({Code::deployment_not_found, "No app \"" + name + "\" is deployed.", "See what is: leger status", {}});
}

// Before anything is switched. The journal has the images from here on.
Task<Result<void>> Deployer::bring(Deployment& row, Prepared& prepared) {
  const bool goes_back = row.kind == "rollback";
  if (goes_back || wants_images(prepared.plan, prepared.staged)) {
    auto noted = co_await set_state(row, "pulling");
    if (!noted) co_return noted;
  }
  Result<void> done;
  if (goes_back) done = co_await bring_recorded_images(parts_, prepared.staged);
  if (!goes_back) done = co_await bring_images(parts_, prepared.staged);
  // A pull takes its time: somebody may have made meanwhile what the app names, and a job may have come to its end.
  if (done && row.state == "pulling") done = co_await part_found(parts_, row.user_uuid, row.name, prepared.staged);
  if (done) done = co_await forget_ended(parts_, prepared.staged);
  // The plan was made before anybody asked the registries.
  if (!goes_back) plan_new_images(prepared.live, prepared.staged, prepared.plan);
  row.journal = to_json(prepared.staged);
  row.plan = plan_with_images(plan_json(prepared.plan, prepared.staged, prepared.findings()), prepared.staged);
  co_return done;
}

// A deployment that could not bring its images has touched nothing but names of images.
Task<void> Deployer::give_up_bringing(Deployment row, Error why) {
  row.error = report_json(why);
  row.journal = disowned(row.journal);
  const auto live = parts_.deployments.live(row.name);
  if (live && *live) {
    const auto generation = generation_from_json((*live)->journal);
    Result<void> restored;
    if (generation) restored = co_await restore_images(parts_, *generation, row.name, Shared::leave);
    if (!restored) parts_.log.warning("an image has not its name back", {{"WHY", restored.error().message}});
  }
  co_await finish(std::move(row), "rolled_back");
  co_await sweep_staging();
}

Task<void> Deployer::sweep_images() {
  const auto released = co_await release_images(parts_);
  if (!released) parts_.log.warning("kept images cannot be looked through", {{"WHY", released.error().message}});
}

}  // namespace leger
