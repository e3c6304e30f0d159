#include <utility>

#include "backend/base/text.h"
#include "quadlets/podman.h"

// What Podman keeps of a container's health checks.

namespace leger {
namespace {

constexpr std::size_t kMostBytes = 8 << 20;

const Json* object_in(const Json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

}  // namespace

Task<Result<std::vector<HealthProbe>>> PodmanApi::health_log(std::string container) {
  const auto response = co_await call("GET", "/containers/" + percent_encode(container) + "/json", std::nullopt);
  if (!response) co_return Fail(response.error());
  std::vector<HealthProbe> probes;
  if (response->status == 404) co_return probes;
  auto json = parse_reply(response->body, "Podman", kMostBytes);
  if (response->status != 200 || !json) {
    co_return Fail({Code::upstream_failed,
                    "Podman does not show a container: status " + std::to_string(response->status) + ".",
                    "See what Podman says: journalctl --user -u podman.service",
                    {}});
  }
  const Json* log = object_in(object_in(object_in(&*json, "State"), "Health"), "Log");
  if (log == nullptr || !log->is_array()) co_return probes;
  for (const Json& probe : *log) {
    probes.push_back({.started = text_field(probe, "Start").value_or(""),
                      .exit_code = integer_field(probe, "ExitCode").value_or(-1),
                      .output = text_field(probe, "Output").value_or("")});
  }
  co_return probes;
}

}  // namespace leger
