#include "backend/service/found_objects.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/json.h"

namespace leger {
namespace {

using Names = std::vector<std::string>;

// Networks or volumes: where a generation has them, and which rows of deployments are known to have taken theirs away.
struct Kind {
  Names Generation::* own;
  Names Generation::* found;
  bool (*takes)(const Deployment& row, const std::string& name);
};

constexpr Kind kNetworks{
    &Generation::networks, &Generation::found_networks,
    [](const Deployment& row, const std::string&) { return row.state == "removed" || row.state == "rolled_back"; }};

constexpr Kind kVolumes{&Generation::volumes, &Generation::found_volumes,
                        [](const Deployment& row, const std::string& name) {
                          const Json plan = Json::parse(row.plan, nullptr, false);
                          return row.state == "removed" && plan.is_object() && plan.contains("volumes") &&
                                 std::ranges::contains(plan["volumes"], Json(name));
                        }};

// What the store knows of this app, and of all that run.
struct Known {
  std::vector<Generation> live;
  std::vector<std::pair<Deployment, Generation>> past;  // of this app, ended, the newest first
};

Result<Known> read_known(Deployments& deployments, const std::string& user_uuid, const std::string& app) {
  Known known;
  const auto live = deployments.live();
  if (!live) return Fail(live.error());
  for (const Deployment& row : *live) {
    auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    known.live.push_back(*std::move(generation));
  }
  auto past = deployments.list({.name = app, .before = {}});
  if (!past) return Fail(past.error());
  for (Deployment& row : *past) {
    auto generation = generation_from_json(row.journal);
    if (row.user_uuid != user_uuid || !row.finished_at || !generation) continue;
    known.past.emplace_back(std::move(row), *std::move(generation));
  }
  return known;
}

// Whether the newest deployment of the app whose units named the object had it as its own and left it behind. A younger
// one of the same name is another.
bool was_left(const Known& known, const Kind& kind, const PodmanObject& object) {
  for (const auto& [row, generation] : known.past) {
    const bool was_own = std::ranges::contains(generation.*kind.own, object.name);
    if (!was_own && !std::ranges::contains(generation.*kind.found, object.name)) continue;
    const auto ended = parse_rfc3339(*row.finished_at);
    return was_own && !kind.takes(row, object.name) && ended && object.made_at && *object.made_at <= *ended;
  }
  return false;
}

bool is_found(const Known& known, const Kind& kind, const std::vector<PodmanObject>& there, const std::string& name) {
  const auto object = std::ranges::find(there, name, &PodmanObject::name);
  if (object == there.end()) return false;
  const bool is_of_live = std::ranges::any_of(
      known.live, [&](const Generation& live) { return std::ranges::contains(live.*kind.own, name); });
  return !is_of_live && !was_left(known, kind, *object);
}

void part(const Known& known, const Kind& kind, const std::vector<PodmanObject>& there, Generation& staged) {
  Names all = std::exchange(staged.*kind.own, {});
  for (std::string& name : std::exchange(staged.*kind.found, {})) all.push_back(std::move(name));
  for (std::string& name : all) {
    Names Generation::* place = is_found(known, kind, there, name) ? kind.found : kind.own;
    (staged.*place).push_back(std::move(name));
  }
}

}  // namespace

Task<Result<void>> part_found(DeployParts& parts, std::string user_uuid, std::string app, Generation& staged) {
  const bool has_networks = !staged.networks.empty() || !staged.found_networks.empty();
  const bool has_volumes = !staged.volumes.empty() || !staged.found_volumes.empty();
  if (!has_networks && !has_volumes) co_return Result<void>();
  const auto known = read_known(parts.deployments, user_uuid, app);
  if (!known) co_return Fail(known.error());
  if (has_networks) {
    const auto there = co_await parts.podman.list_networks();
    if (!there) co_return Fail(there.error());
    part(*known, kNetworks, *there, staged);
  }
  if (has_volumes) {
    const auto there = co_await parts.podman.list_volumes();
    if (!there) co_return Fail(there.error());
    part(*known, kVolumes, *there, staged);
  }
  co_return Result<void>();
}

std::string disowned(const std::string& journal) {
  auto generation = generation_from_json(journal);
  if (!generation) return journal;
  generation->networks.clear();
  generation->volumes.clear();
  return to_json(*generation);
}

void note_found_objects(const Generation& staged, std::vector<Finding>& notes) {
  for (const std::string& name : staged.found_networks) {
    note(notes, "network-found", name,
         "uses the network " + name + " that is there already; it stays when the app goes");
  }
  for (const std::string& name : staged.found_volumes) {
    note(notes, "volume-found", name, "uses the volume " + name + " that is there already; it stays when the app goes");
  }
}

}  // namespace leger
