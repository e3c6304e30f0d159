#include "backend/service/service_status.h"

#include <algorithm>
#include <utility>

#include "backend/base/clock.h"
#include "backend/service/generation.h"

namespace leger {
namespace {

std::string state_name(const UnitState& state) {
  if (state.load_state == "not-found") return "stopped";
  if (state.active_state == "active" || state.active_state == "reloading") return "running";
  if (state.active_state == "activating") return "starting";
  if (state.active_state == "deactivating") return "stopping";
  return state.active_state == "failed" ? "failed" : "stopped";
}

ServiceStatus describe(const std::string& app, const AppUnit& unit, const UnitState& state,
                       const std::vector<PodmanContainer>& containers) {
  ServiceStatus status{.name = unit.name.substr(0, unit.name.rfind('.')),
                       .app = app,
                       .unit = unit.name,
                       .state = state_name(state),
                       .health = std::nullopt,
                       .image = unit.image,
                       .since = std::nullopt,
                       .restarts = state.restarts,
                       .ports = {},
                       .secrets = unit.secrets};
  if (state.active_since) status.since = rfc3339(*state.active_since);
  const auto container = std::ranges::find(containers, unit.name, &PodmanContainer::unit);
  if (container == containers.end()) return status;
  status.health = container->health;
  status.ports = container->ports;
  return status;
}

}  // namespace

Task<Result<std::vector<ServiceStatus>>> ServiceStatusReader::read() {
  std::vector<ServiceStatus> services;
  const auto live = deployments_.live();
  if (!live) co_return Fail(live.error());
  if (live->empty()) co_return services;
  const auto containers = co_await podman_.containers();
  if (!containers) co_return Fail(containers.error());
  for (const Deployment& app : *live) {
    const auto generation = generation_from_json(app.journal);
    if (!generation) co_return Fail(generation.error());
    for (const AppUnit& unit : generation->units) {
      if (!unit.is_service()) continue;
      const auto state = co_await units_.state(unit.name);
      if (!state) co_return Fail(state.error());
      services.push_back(describe(app.name, unit, *state, *containers));
    }
  }
  std::ranges::sort(services, {}, &ServiceStatus::unit);
  co_return services;
}

}  // namespace leger
