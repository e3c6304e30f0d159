#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"
#include "backend/service/failure_report.h"
#include "backend/service/images.h"
#include "backend/service/unit_ties.h"

// The part of the deployer that puts back what an install had begun. Every step may be repeated, and one that fails
// does not keep the later ones from being done, unless they would make it worse.

namespace leger {
namespace {

// The first failure of several steps.
class Outcome {
 public:
  void note(const Result<void>& step) {
    if (first_ && !step) first_ = step;
  }
  Result<void> first() const { return first_; }

 private:
  Result<void> first_;
};

bool has_unit(const Generation& generation, const std::string& unit) {
  return std::ranges::contains(generation.units, unit, &AppUnit::name);
}

bool names_network(const Generation& generation, const std::string& network) {
  return std::ranges::contains(generation.networks, network) ||
         std::ranges::contains(generation.found_networks, network);
}

std::vector<std::string> text_list(const std::string& json_text, const char* name) {
  const Json json = Json::parse(json_text, nullptr, false);
  std::vector<std::string> list;
  if (!json.is_object() || !json.contains(name)) return list;
  for (const Json& entry : json[name]) {
    if (entry.is_string()) list.push_back(entry.get<std::string>());
  }
  return list;
}

// Services of the generation before that do not run as it had them. What was not touched goes on running.
std::vector<std::string> services_to_start(const Generation& before, const Generation& staged,
                                           const std::vector<std::string>& restarted) {
  std::vector<std::string> services;
  for (const AppUnit& unit : before.units) {
    const bool was_stopped = !has_unit(staged, unit.name);
    const bool starts = unit.is_service() && was_stopped;
    if (starts || std::ranges::contains(restarted, unit.name)) services.push_back(unit.name);
  }
  return services;
}

// Services of other apps that use a secret which the deployment gave another version.
std::vector<std::string> services_of_others(const std::string& plan_text) {
  const Json plan = Json::parse(plan_text, nullptr, false);
  std::vector<std::string> services;
  if (!plan.is_object() || !plan.contains("units")) return services;
  for (const Json& unit : plan["units"]) {
    const auto name = text_field(unit, "name");
    if (name && text_field(unit, "app")) services.push_back(*name);
  }
  return services;
}

// What the journal says was live before `staged`; nothing where the app was not there.
Result<std::optional<Generation>> generation_before(Deployments& deployments, const Generation& staged) {
  if (staged.replaces.empty()) return std::nullopt;
  const auto row = deployments.get(staged.replaces);
  if (!row) return Fail(row.error());
  auto generation = generation_from_json(row->journal);
  if (!generation) return Fail(generation.error());
  return std::optional(std::move(*generation));
}

}  // namespace

Task<void> Deployer::roll_back(Deployment row, Error why, Restarts restarts) {
  // That of the first try says why; a later one only goes on.
  if (row.error.empty()) row.error = co_await failure_report(parts_, row, why);
  row.finished_at.reset();
  auto noted = co_await set_state(row, "rolling_back");
  if (!noted) parts_.log.error("the state of a deployment cannot be written", {{"WHY", noted.error().message}});
  const auto undone = co_await undo(row, restarts);
  if (!undone) {
    parts_.log.error("a deployment could not be rolled back", {{"APP", row.name}, {"WHY", undone.error().message}});
    row.error = add_to_report(row.error, " Rolling back failed too: " + undone.error().message, undone.error().action);
  }
  co_await finish(std::move(row), undone ? "rolled_back" : "failed");
  co_await sweep_staging();
}

Task<Result<void>> Deployer::undo(const Deployment& row, Restarts restarts) {
  const auto staged = generation_from_json(row.journal);
  if (!staged) co_return Fail(staged.error());
  const auto before = generation_before(parts_.deployments, *staged);
  if (!before) co_return Fail(before.error());
  // First the folder: where it does not go back, the new generation is better left whole.
  auto switched = co_await offload(parts_.loop, [&]() -> Result<void> {
    if (is_switched(row, *staged)) return parts_.installer.switch_back(row.id, row.name);
    // A crash before the exchange leaves the empty folder that it was to exchange; rmdir takes no other.
    if (!*before) ::rmdir(parts_.installer.live_path(row.name).c_str());
    return {};
  });
  if (!switched && is_switched(row, *staged)) co_return switched;
  Outcome outcome;
  outcome.note(switched);
  if (*before) {
    const auto named = co_await restore_images(parts_, **before, row.name, Shared::leave);
    outcome.note(named);
  }
  const auto taken = co_await undo_additions(row, *staged, *before);
  outcome.note(taken);
  const bool none_yet = restarts == Restarts::none_yet;
  const auto restarted = none_yet ? std::vector<std::string>() : text_list(row.plan, "restart");
  auto services = *before ? services_to_start(**before, *staged, restarted) : std::vector<std::string>();
  const auto others = none_yet ? std::vector<std::string>() : services_of_others(row.plan);
  services.insert(services.end(), others.begin(), others.end());
  if (*before) {
    const auto down = co_await add_down(parts_, services_of(**before), services);
    outcome.note(down);
  }
  auto again = *before ? without_pod_members(**before, services) : services;
  const auto down = co_await add_down(parts_, staged->instances, again);
  outcome.note(down);
  auto started = co_await restart_units(parts_, std::move(again));
  if (started && !services.empty()) started = co_await await_health(parts_, services);
  outcome.note(started);
  // Until here a container that both generations have may have run with them.
  const auto removed = co_await remove_additions(row.name, *staged, *before);
  outcome.note(removed);
  co_return outcome.first();
}

Task<Result<void>> Deployer::drop_networks(Deployment live, std::vector<std::string> networks) {
  if (networks.empty()) co_return Result<void>();
  const auto others = objects_of_others(parts_.deployments, live.name);
  if (!others) co_return Fail(others.error());
  const auto there = co_await parts_.podman.list_networks();
  if (!there) co_return Fail(there.error());
  const auto committed = parse_rfc3339(live.finished_at.value_or(""));
  Outcome outcome;
  for (const PodmanObject& network : *there) {
    if (!std::ranges::contains(networks, network.name) || others->contains(network.name)) continue;
    // One that was made since is somebody else's.
    if (!committed || !network.made_at || *network.made_at > *committed) continue;
    const auto removed = co_await parts_.podman.remove_network(network.name);
    outcome.note(removed);
  }
  co_return outcome.first();
}

Task<void> Deployer::drop_leftovers(std::string id) {
  auto live = parts_.deployments.get(id);
  if (!live || !live->live) co_return;
  auto generation = generation_from_json(live->journal);
  if (!generation || generation->has_dropped_leftovers) co_return;
  const auto before = generation_before(parts_.deployments, *generation);
  if (!before || !*before) co_return;
  auto networks = (*before)->networks;
  std::erase_if(networks, [&](const std::string& name) { return names_network(*generation, name); });
  Outcome outcome;
  const auto removed = co_await drop_networks(*live, std::move(networks));
  outcome.note(removed);
  std::vector<std::string> secrets = secrets_of(**before);
  std::erase_if(secrets, [&](const std::string& name) { return generation->secrets.contains(name); });
  const auto dropped = co_await drop_podman_secrets(parts_, live->user_uuid, live->name, std::move(secrets));
  outcome.note(dropped);
  generation->has_dropped_leftovers = true;
  live->journal = to_json(*generation);
  if (outcome.first()) {
    const auto noted = co_await parts_.deployments.update(*live);
    outcome.note(noted);
  }
  if (outcome.first()) co_return;
  parts_.log.warning("what the app has no more cannot be removed from Podman; the next start tries again",
                     {{"APP", live->name}, {"WHY", outcome.first().error().message}});
}

// Whether the app's folder is the one that the row's deployment put there, and what was there before is still kept.
bool Deployer::is_switched(const Deployment& row, const Generation& staged) const {
  const std::uint64_t there = Installer::identity(parts_.installer.live_path(row.name));
  return there != 0 && there == staged.folder_identity &&
         Installer::identity(parts_.installer.staging_path(row.id)) != 0;
}

// The units that only the new generation has, with all that runs of its templates.
Task<Result<void>> Deployer::stop_additions(std::string app, const Generation& staged,
                                            const std::optional<Generation>& before) {
  Outcome outcome;
  auto instances = co_await running_instances(parts_, parts_.installer.live_path(app), staged);
  if (!instances) outcome.note(Fail(instances.error()));
  std::vector<std::string> gone;
  for (const std::string& unit : names_of(staged.units)) {
    if (before && has_unit(*before, unit)) continue;
    const auto known = std::ranges::find(staged.units, unit, &AppUnit::name);
    const bool goes_whole = !before || !has_file(*before, known->file());
    if (instances && goes_whole) std::ranges::move((*instances)[unit], std::back_inserter(gone));
    gone.push_back(unit);
  }
  const auto stopped = co_await stop_units(parts_, std::move(gone));
  outcome.note(stopped);
  co_return outcome.first();
}

// Units and secrets that only the new generation has, and the secrets' versions.
Task<Result<void>> Deployer::undo_additions(const Deployment& row, const Generation& staged,
                                            const std::optional<Generation>& before) {
  Outcome outcome;
  const auto stopped = co_await stop_additions(row.name, staged, before);
  outcome.note(stopped);
  const auto restored = co_await restore_podman_secrets(parts_, row, staged, before);
  outcome.note(restored);
  if (!restored) secrets_are_wrong_ = true;
  const auto reloaded = co_await parts_.units.reload();
  outcome.note(reloaded);
  co_return outcome.first();
}

// Networks that only the new generation has.
Task<Result<void>> Deployer::remove_additions(std::string app, const Generation& staged,
                                              const std::optional<Generation>& before) {
  const auto others = objects_of_others(parts_.deployments, app);
  if (!others) co_return Fail(others.error());
  Outcome outcome;
  for (const std::string& network : staged.networks) {
    const bool was_there = before && names_network(*before, network);
    if (was_there || others->contains(network)) continue;
    const auto removed = co_await parts_.podman.remove_network(network);
    outcome.note(removed);
  }
  co_return outcome.first();
}

}  // namespace leger
