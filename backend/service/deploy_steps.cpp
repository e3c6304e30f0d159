#include "backend/service/deploy_steps.h"

#include <algorithm>
#include <set>
#include <utility>

namespace leger {
namespace {

constexpr std::uint64_t kHealthPollMs = 500;

Error unit_error(const std::string& unit, const std::string& what) {
  return {Code::upstream_failed, unit + " " + what + ".", "See why: journalctl --user -u " + unit, {}};
}

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
    if (has_label(known, "leger.user", actor.user_uuid) && has_label(known, "leger.version", number)) continue;
    auto secret = co_await parts.secrets.read(actor, name, version);
    if (!secret) co_return Fail(secret.error());
    std::map<std::string, std::string> labels{
        {"leger.user", actor.user_uuid}, {"leger.name", name}, {"leger.version", number}};
    auto put = co_await parts.podman.put_secret(name, std::move(secret->value), std::move(labels));
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
    if (used.contains(name) || !has_label(find_secret(*there, name), "leger.user", user_uuid)) continue;
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

Task<Result<void>> stop_units(DeployParts& parts, std::vector<std::string> units) {
  for (const std::string& unit : units) {
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

Task<Result<void>> restart_units(DeployParts& parts, std::vector<std::string> units) {
  for (const std::string& unit : units) {
    const auto result = co_await parts.units.restart(unit, kJobTimeoutMs);
    if (!result) co_return Fail(result.error());
    if (*result == "done") continue;
    const auto state = co_await parts.units.state(unit);
    const std::string detail = state && !state->result.empty() ? ", result " + state->result : "";
    co_return Fail(unit_error(unit, "did not start (job " + *result + detail + ")"));
  }
  co_return Result<void>();
}

Task<Result<void>> check_loaded(DeployParts& parts, std::string live_folder, std::vector<AppUnit> units) {
  for (const AppUnit& unit : units) {
    const auto state = co_await parts.units.state(unit.name);
    if (!state) co_return Fail(state.error());
    if (state->load_state != "loaded") {
      co_return Fail(unit_error(unit.name, "was not loaded by systemd (" + state->load_state + ")"));
    }
    if (state->source_path != live_folder + "/" + unit.source) {
      co_return Fail(unit_error(unit.name, "comes from " + state->source_path + ", not from this release"));
    }
  }
  co_return Result<void>();
}

namespace {

// One look at everything: true when all is well, false when it is too early to say.
Task<Result<bool>> look_at_health(DeployParts& parts, const std::vector<std::string>& services,
                                  std::map<std::string, std::uint32_t>& restarts) {
  bool well = true;
  for (const std::string& service : services) {
    const auto state = co_await parts.units.state(service);
    if (!state) co_return Fail(state.error());
    const std::uint32_t first_seen = restarts.emplace(service, state->restarts).first->second;
    if (state->restarts > first_seen) co_return Fail(unit_error(service, "crashes and is restarted"));
    if (state->active_state == "failed" || state->active_state == "inactive") {
      co_return Fail(
          unit_error(service, "did not stay up (" + state->active_state + ", result " + state->result + ")"));
    }
    well = well && state->active_state == "active";
  }
  const auto containers = co_await parts.podman.containers();
  if (!containers) co_return Fail(containers.error());
  for (const PodmanContainer& container : *containers) {
    if (!container.health || !std::ranges::contains(services, container.unit)) continue;
    if (*container.health == "unhealthy") co_return Fail(unit_error(container.unit, "is unhealthy"));
    well = well && *container.health == "healthy";
  }
  co_return well;
}

}  // namespace

Task<Result<void>> await_health(DeployParts& parts, std::vector<std::string> services) {
  std::map<std::string, std::uint32_t> restarts;
  const std::uint64_t started = parts.loop.timers().now_ms();
  while (true) {
    const auto well = co_await look_at_health(parts, services, restarts);
    if (!well) co_return Fail(well.error());
    const std::uint64_t elapsed = parts.loop.timers().now_ms() - started;
    if (*well && elapsed >= parts.settle_ms) co_return Result<void>();
    if (elapsed >= parts.settle_ms + parts.health_timeout_ms) {
      co_return Fail({Code::upstream_failed,
                      "The services were not healthy in time.",
                      "See their state: leger status; their logs: journalctl --user -u UNIT",
                      {}});
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
