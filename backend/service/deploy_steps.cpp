#include "backend/service/deploy_steps.h"

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "backend/base/json.h"

namespace leger {
namespace {

constexpr std::uint64_t kHealthPollMs = 500;

// `details` is for the failure report.
Error unit_error(const std::string& unit, const std::string& what) {
  return {Code::upstream_failed, unit + " " + what + ".", "See why: journalctl --user -u " + unit,
          dump(Json{{"unit", unit}})};
}

Error not_loaded(const AppUnit& unit, const std::string& what) {
  Error error = unit_error(unit.name, what);
  error.details = dump(Json{{"unit", unit.name}, {"source", unit.source}});
  return error;
}

void tell(const DeployParts& parts, const char* step, const std::string& unit, const std::string& text) {
  if (parts.events != nullptr) parts.events->progress(step, unit, text);
}

bool is_up(const UnitState& state) { return state.active_state != "inactive" && state.active_state != "failed"; }

const PodmanSecret* find_secret(const std::vector<PodmanSecret>& there, const std::string& name) {
  const auto found = std::ranges::find(there, name, &PodmanSecret::name);
  return found == there.end() ? nullptr : &*found;
}

bool has_label(const PodmanSecret* secret, const std::string& label, const std::string& value) {
  if (secret == nullptr) return false;
  const auto found = secret->labels.find(label);
  return found != secret->labels.end() && found->second == value;
}

// The newest version of a secret that an app other than the row's was deployed with; 0 where none uses it.
Result<std::uint64_t> version_of_others(const std::vector<Deployment>& live, const Deployment& row,
                                        const std::string& secret) {
  std::uint64_t newest = 0;
  for (const Deployment& other : live) {
    if (other.name == row.name || other.user_uuid != row.user_uuid) continue;
    const auto generation = generation_from_json(other.journal);
    if (!generation) return Fail(generation.error());
    const auto found = generation->secrets.find(secret);
    if (found != generation->secrets.end()) newest = std::max(newest, found->second);
  }
  return newest;
}

// Nothing is read, and nothing is on record, where Podman only learns whom to ask.
Task<Result<Secret>> value_for_podman(DeployParts& parts, Actor actor, std::string name, std::uint64_t version) {
  if (!parts.podman.keeps_values()) co_return Secret("legerd");
  auto secret = co_await parts.secrets.read(std::move(actor), std::move(name), version);
  if (!secret) co_return Fail(secret.error());
  co_return std::move(secret->value);
}

}  // namespace

Actor deployment_actor(const Deployment& row) {
  return {.user_uuid = row.user_uuid, .source = "deployment " + row.id, .request_id = {}};
}

Task<Result<void>> put_podman_secrets(DeployParts& parts, Actor actor, std::map<std::string, std::uint64_t> versions) {
  if (versions.empty()) co_return Result<void>();
  const auto there = co_await parts.podman.secrets();
  if (!there) co_return Fail(there.error());
  for (const auto& [name, version] : versions) {
    const std::string number = std::to_string(version);
    const PodmanSecret* known = find_secret(*there, name);
    const bool is_there = has_label(known, "leger.user", actor.user_uuid) && has_label(known, "leger.version", number);
    if (is_there && known->is_as_put) continue;
    if (known != nullptr && !known->is_as_put) {
      auto removed = co_await parts.podman.remove_secret(name);  // by the driver that has it
      if (!removed) co_return removed;
    }
    auto value = co_await value_for_podman(parts, actor, name, version);
    if (!value) co_return Fail(value.error());
    std::map<std::string, std::string> labels{
        {"leger.user", actor.user_uuid}, {"leger.name", name}, {"leger.version", number}};
    // What was there before Leger is used by others, perhaps, and outlives the app.
    const bool is_nobodys = known != nullptr && !known->labels.contains("leger.user");
    if (is_nobodys || has_label(known, kAdoptedLabel, "1")) labels.emplace(kAdoptedLabel, "1");
    auto put = co_await parts.podman.put_secret(name, std::move(*value), std::move(labels));
    if (!put) co_return Fail(put.error());
  }
  co_return Result<void>();
}

Task<Result<void>> drop_podman_secrets(DeployParts& parts, std::string user_uuid, std::string app,
                                       std::vector<std::string> names) {
  if (names.empty()) co_return Result<void>();
  const auto live = parts.deployments.live();
  if (!live) co_return Fail(live.error());
  std::set<std::string> used;
  for (const Deployment& other : *live) {
    if (other.name == app) continue;
    const auto generation = generation_from_json(other.journal);
    if (!generation) co_return Fail(generation.error());
    for (const auto& [name, version] : generation->secrets) used.insert(name);
  }
  const auto there = co_await parts.podman.secrets();
  if (!there) co_return Fail(there.error());
  for (const std::string& name : names) {
    const PodmanSecret* known = find_secret(*there, name);
    if (used.contains(name) || !has_label(known, "leger.user", user_uuid)) continue;
    if (has_label(known, kAdoptedLabel, "1")) continue;
    auto removed = co_await parts.podman.remove_secret(name);
    if (!removed) co_return Fail(removed.error());
  }
  co_return Result<void>();
}

Task<Result<void>> restore_podman_secrets(DeployParts& parts, const Deployment& row, const Generation& staged,
                                          const std::optional<Generation>& before) {
  const auto live = parts.deployments.live();
  if (!live) co_return Fail(live.error());
  std::map<std::string, std::uint64_t> versions;
  if (before) versions = before->secrets;
  std::vector<std::string> added;
  for (const auto& [name, version] : staged.secrets) {
    if (versions.contains(name)) continue;
    const auto other = version_of_others(*live, row, name);
    if (!other) co_return Fail(other.error());
    if (*other != 0) versions.emplace(name, *other);
    if (*other == 0) added.push_back(name);
  }
  auto put = co_await put_podman_secrets(parts, deployment_actor(row), std::move(versions));
  auto dropped = co_await drop_podman_secrets(parts, row.user_uuid, row.name, std::move(added));
  co_return put ? dropped : put;
}

Result<std::set<std::string>> objects_of_others(Deployments& deployments, const std::string& app) {
  const auto live = deployments.live();
  if (!live) return Fail(live.error());
  std::set<std::string> objects;
  for (const Deployment& other : *live) {
    if (other.name == app) continue;
    const auto generation = generation_from_json(other.journal);
    if (!generation) return Fail(generation.error());
    for (const auto list :
         {&Generation::networks, &Generation::volumes, &Generation::found_networks, &Generation::found_volumes}) {
      const auto& names = (*generation).*list;
      objects.insert(names.begin(), names.end());
    }
  }
  return objects;
}

Result<std::vector<std::string>> with_pod_members(Deployments& deployments, std::vector<std::string> units) {
  const auto live = deployments.live();
  if (!live) return Fail(live.error());
  for (const Deployment& row : *live) {
    const auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    for (const AppUnit& unit : generation->units) {
      const bool is_member = !unit.pod.empty() && std::ranges::contains(units, unit.pod);
      if (is_member && !std::ranges::contains(units, unit.name)) units.push_back(unit.name);
    }
  }
  return units;
}

Task<Result<void>> stop_units(DeployParts& parts, std::vector<std::string> units) {
  for (const std::string& unit : units) {
    tell(parts, "switching", unit, "stopping");
    const auto stopped = co_await parts.units.stop(unit, kJobTimeoutMs);
    const bool absent = !stopped && stopped.error().code == Code::service_not_found;
    if (!stopped && !absent) co_return Fail(stopped.error());
    // `failed`: it is down, and how it went down is forgotten next.
    if (stopped && *stopped != "done" && *stopped != "failed" && *stopped != "skipped") {
      co_return Fail(unit_error(unit, "did not stop (job " + *stopped + ")"));
    }
    auto forgotten = co_await parts.units.reset_failed(unit);
    if (!forgotten && forgotten.error().code != Code::service_not_found) co_return Fail(forgotten.error());
  }
  co_return Result<void>();
}

Task<Result<std::map<std::string, std::vector<std::string>>>> running_instances(DeployParts& parts,
                                                                                std::string live_folder,
                                                                                const Generation& generation) {
  std::map<std::string, std::vector<std::string>> running;
  for (const AppUnit& unit : generation.units) {
    if (!unit.is_service() || unit.file() == unit.name) continue;
    const auto names = co_await parts.units.instances(unit.file());
    if (!names) co_return Fail(names.error());
    for (const std::string& name : *names) {
      if (std::ranges::contains(generation.units, name, &AppUnit::name)) continue;
      const auto state = co_await parts.units.state(name);
      if (!state) co_return Fail(state.error());
      if (is_up(*state) && state->source_path == live_folder + "/" + unit.source) running[unit.name].push_back(name);
    }
  }
  co_return running;
}

Task<Result<void>> forget_ended(DeployParts& parts, Generation& staged) {
  for (const std::string& name : std::exchange(staged.instances, {})) {
    const auto state = co_await parts.units.state(name);
    if (!state) co_return Fail(state.error());
    if (is_up(*state)) staged.instances.push_back(name);
  }
  co_return Result<void>();
}

Task<Result<void>> add_down(DeployParts& parts, std::vector<std::string> all, std::vector<std::string>& services) {
  for (const std::string& service : all) {
    if (std::ranges::contains(services, service)) continue;
    const auto state = co_await parts.units.state(service);
    if (!state) co_return Fail(state.error());
    if (!is_up(*state) && !has_ended_well(*state)) services.push_back(service);
  }
  co_return Result<void>();
}

namespace {

Task<Result<void>> restart_unit(DeployParts& parts, std::string unit) {
  // systemd refuses a start after too many, and those before may have been of a version that crashed.
  auto forgotten = co_await parts.units.reset_failed(unit);
  if (!forgotten && forgotten.error().code != Code::service_not_found) co_return Fail(forgotten.error());
  tell(parts, "starting", unit, "starting");
  const auto result = co_await parts.units.restart(unit, kJobTimeoutMs);
  if (!result) co_return Fail(result.error());
  if (*result == "done") {
    tell(parts, "starting", unit, "started");
    co_return Result<void>();
  }
  const auto state = co_await parts.units.state(unit);
  const std::string detail = state && !state->result.empty() ? ", result " + state->result : "";
  co_return Fail(unit_error(unit, "did not start (job " + *result + detail + ")"));
}

Task<void> restart_into(DeployParts& parts, std::string unit, OneShot<Result<void>> outcome) {
  auto restarted = co_await restart_unit(parts, std::move(unit));
  outcome.set(std::move(restarted));
}

}  // namespace

// All jobs at once: what must come after what, systemd knows, and the others need not wait for each other.
Task<Result<void>> restart_units(DeployParts& parts, std::vector<std::string> units) {
  std::vector<OneShot<Result<void>>> outcomes;
  for (const std::string& unit : units) {
    const OneShot<Result<void>> outcome(parts.loop);
    outcomes.push_back(outcome);
    parts.loop.spawn(restart_into(parts, unit, outcome), [outcome](const std::exception_ptr&) {
      outcome.set(Fail({Code::internal_error, "A unit was not started because of a bug in legerd.", {}, {}}));
    });
  }
  Result<void> first;
  for (const OneShot<Result<void>>& outcome : outcomes) {
    auto restarted = co_await outcome;
    if (first && !restarted) first = std::move(restarted);
  }
  co_return first;
}

Task<Result<void>> check_loaded(DeployParts& parts, std::string live_folder, std::vector<AppUnit> units) {
  for (const AppUnit& unit : units) {
    const auto state = co_await parts.units.state(unit.name);
    if (!state) co_return Fail(state.error());
    if (state->load_state != "loaded") {
      co_return Fail(not_loaded(unit, "was not loaded by systemd (" + state->load_state + ")"));
    }
    if (state->source_path != live_folder + "/" + unit.source) {
      co_return Fail(not_loaded(unit, "comes from " + state->source_path + ", not from this release"));
    }
  }
  co_return Result<void>();
}

namespace {

// What looks at the same services see one after another.
struct Watched {
  std::map<std::string, std::uint32_t> restarts;  // as first seen
  std::map<std::string, std::string> told;        // what was last said of each
};

void tell_change(const DeployParts& parts, Watched& watched, const std::string& unit, const std::string& text) {
  std::string& told = watched.told[unit];
  if (told != text) tell(parts, "checking", unit, text);
  told = text;
}

// One look at everything: a service that is not well yet, empty when all are.
Task<Result<std::string>> look_at_health(DeployParts& parts, const std::vector<std::string>& services,
                                         Watched& watched) {
  std::string waiting;
  for (const std::string& service : services) {
    const auto state = co_await parts.units.state(service);
    if (!state) co_return Fail(state.error());
    const std::uint32_t first_seen = watched.restarts.emplace(service, state->restarts).first->second;
    if (state->restarts > first_seen) co_return Fail(unit_error(service, "crashes and is restarted"));
    if (has_ended_well(*state)) continue;
    if (state->active_state == "failed" || state->active_state == "inactive") {
      co_return Fail(
          unit_error(service, "did not stay up (" + state->active_state + ", result " + state->result + ")"));
    }
    if (state->active_state != "active") waiting = service;
    if (state->active_state != "active") tell_change(parts, watched, service, state->active_state);
  }
  const auto containers = co_await parts.podman.containers();
  if (!containers) co_return Fail(containers.error());
  for (const PodmanContainer& container : *containers) {
    if (!container.health || !std::ranges::contains(services, container.unit)) continue;
    if (*container.health == "unhealthy") co_return Fail(unit_error(container.unit, "is unhealthy"));
    if (*container.health != "healthy") waiting = container.unit;
    tell_change(parts, watched, container.unit,
                *container.health == "healthy" ? "healthy" : "waiting until it is healthy");
  }
  co_return waiting;
}

}  // namespace

std::string unit_of(const Error& error) {
  const Json about = Json::parse(error.details, nullptr, false);
  return about.is_object() ? text_field(about, "unit").value_or("") : std::string();
}

bool has_ended_well(const UnitState& state) {
  return state.type == "oneshot" && state.active_state == "inactive" && state.result == "success";
}

Task<Result<void>> await_health(DeployParts& parts, std::vector<std::string> services) {
  Watched watched;
  const std::uint64_t started = parts.loop.timers().now_ms();
  while (true) {
    const auto waiting = co_await look_at_health(parts, services, watched);
    if (!waiting) co_return Fail(waiting.error());
    const std::uint64_t elapsed = parts.loop.timers().now_ms() - started;
    if (waiting->empty() && elapsed >= parts.settle_ms) co_return Result<void>();
    if (elapsed >= parts.settle_ms + parts.health_timeout_ms) {
      co_return Fail(unit_error(*waiting, "was not healthy in time"));
    }
    co_await sleep_for(parts.loop, kHealthPollMs);
  }
}

std::vector<std::string> names_of(const std::vector<AppUnit>& units) {
  std::vector<std::string> names;
  for (const bool services : {true, false}) {
    for (const AppUnit& unit : units) {
      if (unit.is_service() == services) names.push_back(unit.name);
    }
  }
  return names;
}

std::vector<std::string> services_of(const Generation& generation) {
  std::vector<std::string> names;
  for (const AppUnit& unit : generation.units) {
    if (unit.is_service()) names.push_back(unit.name);
  }
  return names;
}

std::vector<std::string> secrets_of(const Generation& generation) {
  std::vector<std::string> names;
  names.reserve(generation.secrets.size());
  for (const auto& [name, version] : generation.secrets) names.push_back(name);
  return names;
}

}  // namespace leger
