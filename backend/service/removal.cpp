#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/crypto/seal.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"
#include "backend/service/failure_report.h"
#include "backend/service/unit_ties.h"

// The part of the deployer that takes an app away. Until systemd has read its units anew without the app, a failure
// puts the app back; after that it is gone, and what could not be removed with it is tried again by a second removal.

namespace leger {
namespace {

// All that runs or may run of it, what runs before what it stands on.
std::vector<std::string> running_names(const Generation& generation) {
  std::vector<std::string> names = generation.instances;
  for (std::string& name : names_of(generation.units)) names.push_back(std::move(name));
  return names;
}

std::string removal_plan(const Generation& generation, Deployer::Volumes volumes) {
  Json units = Json::array();
  for (const std::string& unit : running_names(generation)) {
    units.push_back({{"name", unit}, {"change", "removed"}, {"reasons", Json::array()}});
  }
  const bool remove = volumes == Deployer::Volumes::remove;
  return dump(Json{{"units", units}, {"volumes", remove ? Json(generation.volumes) : Json::array()}});
}

// Whether the journal's plan says that the volumes go, too.
bool removes_volumes(const Deployment& row) {
  const Json plan = Json::parse(row.plan, nullptr, false);
  return plan.is_object() && plan.contains("volumes") && !plan["volumes"].empty();
}

// What stays behind of an app that is gone.
Error left_over(Error why, const std::string& app) {
  why.message = "The app is gone, but not all that belonged to it: " + why.message;
  if (!why.action.empty()) why.action += " ";
  why.action += "Then remove it again: leger deploy remove " + app;
  return why;
}

}  // namespace

Task<Result<std::string>> Deployer::remove(Actor actor, std::string name, Volumes volumes) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  Hold hold(*this, Busy::deploying);
  running_id_ = random_uuid();
  const auto generation = co_await check_removable(actor.user_uuid, name);
  if (!generation) co_return Fail(generation.error());
  const auto live = parts_.deployments.live(name);
  if (!live) co_return Fail(live.error());
  Deployment row{.id = running_id_,
                 .user_uuid = actor.user_uuid,
                 .name = std::move(name),
                 .version = (*live)->version,
                 .kind = "remove",
                 .state = "switching",
                 .created_at = rfc3339(parts_.loop.clock().wall_seconds()),
                 .plan = removal_plan(*generation, volumes),
                 .journal = to_json(*generation)};
  auto added = co_await parts_.deployments.add(row, audit_of(row, actor, "started"));
  if (!added) co_return Fail(added.error());
  std::string id = row.id;
  tell_state(row);
  launch(run_remove(std::move(row)), hold);
  co_return id;
}

// The app is there, and those that must help to remove it answer: its generation, with the instances that are to stop.
Task<Result<Generation>> Deployer::check_removable(std::string user_uuid, std::string name) {
  const auto live = parts_.deployments.live(name);
  if (!live) co_return Fail(live.error());
  if (!*live || (*live)->user_uuid != user_uuid) {
    co_return Fail(
        {Code::deployment_not_found, "No app \"" + name + "\" is deployed.", "See what is: leger status", {}});
  }
  auto settled = co_await settle_failed(name);
  if (!settled) co_return Fail(settled.error());
  auto podman = co_await parts_.podman.ping();
  if (!podman) co_return Fail(podman.error());
  const auto systemd = co_await parts_.units.unit_files();
  if (!systemd) co_return Fail(systemd.error());
  auto generation = generation_from_json((*live)->journal);
  if (!generation) co_return generation;
  const auto instances = co_await running_instances(parts_, parts_.installer.live_path(name), *generation);
  if (!instances) co_return Fail(instances.error());
  generation->instances.clear();
  for (const auto& [unit, names] : *instances) {
    generation->instances.insert(generation->instances.end(), names.begin(), names.end());
  }
  co_return generation;
}

Task<void> Deployer::run_remove(Deployment row) {
  const auto generation = generation_from_json(row.journal);
  if (!generation) {
    row.error = report_json(generation.error());
    co_await finish(std::move(row), "failed");
    co_return;
  }
  std::string state = "removed";
  auto taken = co_await take_away(row, *generation);
  if (taken) {
    const auto cleaned = co_await clean_up(row, *generation);
    if (!cleaned) state = "failed";
    if (!cleaned) row.error = report_json(left_over(cleaned.error(), row.name));
  } else {
    row.error = co_await failure_report(parts_, row, taken.error());
    const auto back = co_await put_back(row, *generation);
    state = back ? "rolled_back" : "failed";
    if (!back) row.error = add_to_report(row.error, " Putting it back failed too: " + back.error().message);
  }
  co_await finish(std::move(row), std::move(state));
  co_await sweep_staging();
}

Task<Result<void>> Deployer::take_away(const Deployment& row, const Generation& generation) {
  auto done = co_await stop_units(parts_, running_names(generation));
  if (done) {
    done = co_await offload(parts_.loop, [&]() -> Result<void> {
      if (!parts_.installer.is_live(row.name)) return {};
      auto prepared = parts_.installer.prepare();
      return prepared ? parts_.installer.take_away(row.id, row.name) : prepared;
    });
  }
  if (done) done = co_await parts_.units.reload();
  co_return done;
}

Task<Result<void>> Deployer::put_back(const Deployment& row, const Generation& generation) {
  auto done = co_await offload(parts_.loop, [&]() -> Result<void> {
    const bool is_away = Installer::identity(parts_.installer.staging_path(row.id)) != 0;
    return is_away ? parts_.installer.put_back(row.id, row.name) : Result<void>();
  });
  if (!done || !parts_.installer.is_live(row.name)) co_return done;
  done = co_await parts_.units.reload();
  auto services = without_pod_members(generation, services_of(generation));
  const auto down = co_await add_down(parts_, generation.instances, services);
  if (done) done = down;
  const auto started = co_await restart_units(parts_, std::move(services));
  co_return done ? started : done;
}

Task<Result<void>> Deployer::clean_up(const Deployment& row, const Generation& generation) {
  const auto others = objects_of_others(parts_.deployments, row.name);
  if (!others) co_return Fail(others.error());
  Result<void> first;
  for (const std::string& network : generation.networks) {
    if (others->contains(network)) continue;
    auto removed = co_await parts_.podman.remove_network(network);
    if (first && !removed) first = removed;
  }
  auto dropped = co_await drop_podman_secrets(parts_, row.user_uuid, row.name, secrets_of(generation));
  if (first && !dropped) first = dropped;
  if (!removes_volumes(row)) co_return first;
  for (const std::string& volume : generation.volumes) {
    if (others->contains(volume)) continue;
    auto removed = co_await parts_.podman.remove_volume(volume);
    if (first && !removed) first = removed;
  }
  co_return first;
}

}  // namespace leger
