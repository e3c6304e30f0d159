#include <algorithm>
#include <cstdint>
#include <utility>

#include "backend/base/offload.h"
#include "backend/service/deployer.h"
#include "backend/service/found_objects.h"

// The part of the deployer that finishes what an earlier one could not: after a crash, or after a rollback that failed.

namespace leger {
namespace {

constexpr int kPodmanTries = 40;
constexpr std::uint64_t kPodmanPauseMs = 250;

// Waits, not forever, until Podman answers. After a boot the first of its processes makes what holds its user
// namespace: where a unit is stopped while its process does that, no later one gets in until the next boot
// (Podman 5.4).
Task<void> await_podman(DeployParts& parts) {
  for (int tried = 0; tried < kPodmanTries; ++tried) {
    const auto answer = co_await parts.podman.ping();
    if (answer) co_return;
    co_await sleep_for(parts.loop, kPodmanPauseMs);
  }
  parts.log.warning("Podman does not answer; what was interrupted is finished as far as it goes", {});
}

}  // namespace

Task<void> Deployer::recover() {
  const Hold hold(*this, Busy::recovering);
  auto unfinished = parts_.deployments.unfinished();
  if (!unfinished) {
    parts_.log.error("unfinished deployments cannot be read", {{"WHY", unfinished.error().message}});
    co_return;
  }
  if (!unfinished->empty()) co_await await_podman(parts_);
  for (Deployment& row : *unfinished) {
    const std::string id = row.id;
    co_await recover_one(std::move(row));
    events_.end(id);
  }
  const auto settled = co_await settle_failed(std::string());
  if (!settled) parts_.log.error("an app is still between two releases", {{"WHY", settled.error().message}});
  // What stands between two releases may still run with what the live one has no more.
  const auto live = parts_.deployments.live();
  for (std::size_t at = 0; settled && live && at < live->size(); ++at) co_await drop_leftovers((*live)[at].id);
  co_await sweep_staging();
  const auto reconciled = co_await reconcile_secrets();
  if (reconciled) co_return;
  parts_.log.warning("Podman's secrets cannot be looked at; they are later", {{"WHY", reconciled.error().message}});
  look_later();
}

Task<void> Deployer::recover_one(Deployment row) {
  parts_.log.warning("finishing a deployment that was interrupted", {{"APP", row.name}, {"STATE", row.state}});
  if (row.kind == "remove") {
    co_await run_remove(std::move(row));
    co_return;
  }
  const Error why{Code::unavailable, "legerd was interrupted during the deployment.", "Deploy it again.", {}};
  if (row.state == "preflight") {  // nothing was touched yet
    row.error = report_json(why);
    row.journal = disowned(row.journal);
    co_await finish(std::move(row), "rolled_back");
    co_return;
  }
  if (row.state == "pulling") {
    co_await give_up_bringing(std::move(row), why);
    co_return;
  }
  if (row.kind == "sync") {
    co_await roll_back_sync(std::move(row), why, Restarts::perhaps);
    co_return;
  }
  co_await roll_back(std::move(row), why, Restarts::perhaps);
}

// Whether the rollback of this row failed and left its generation in the app's folder.
bool Deployer::is_half_back(const Deployment& row) const {
  if ((row.kind != "install" && row.kind != "rollback") || row.state != "failed") return false;
  const auto staged = generation_from_json(row.journal);
  return staged && is_switched(row, *staged);
}

// Tries again the rollbacks that left a folder switched, of `name` or, where that is empty, of every app.
Task<Result<void>> Deployer::settle_failed(std::string name) {
  const auto staged = co_await offload(parts_.loop, [this] { return parts_.installer.staged_ids(); });
  if (!staged) co_return Fail(staged.error());
  Result<void> outcome;
  for (const std::string& id : *staged) {
    const auto row = parts_.deployments.get(id);
    if (!row || !is_half_back(*row) || (!name.empty() && row->name != name)) continue;
    const Error why{Code::unavailable, "The deployment failed.", "Deploy it again.", {}};
    co_await roll_back(*row, why, Restarts::perhaps);
    events_.end(id);
    if (!is_half_back(*row)) continue;
    outcome = Fail({Code::unavailable,
                    "The folder of " + row->name + " cannot be put back to what it was.",
                    "See why: leger deploy list",
                    {}});
  }
  co_return outcome;
}

bool Deployer::is_needed(const std::string& staging_id) {
  if (planning_.contains(staging_id)) return true;
  const auto row = parts_.deployments.get(staging_id);
  if (!row) return row.error().code != Code::deployment_not_found;
  return row->live || !row->finished_at || is_half_back(*row);
}

Task<void> Deployer::sweep_staging() {
  const auto staged = co_await offload(parts_.loop, [this] { return parts_.installer.staged_ids(); });
  if (!staged) {
    parts_.log.warning("the staging folder cannot be read", {{"WHY", staged.error().message}});
    co_return;
  }
  for (const std::string& id : *staged) {
    if (!is_needed(id)) co_await drop_staging(id);
  }
  co_await sweep_images();
}

Task<void> Deployer::drop_staging(std::string id) {
  const auto removed = co_await offload(parts_.loop, [this, &id] { return parts_.installer.remove_staging(id); });
  if (!removed) parts_.log.warning("a staging folder cannot be removed", {{"WHY", removed.error().message}});
}

}  // namespace leger
