#include "backend/service/plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "backend/base/json.h"
#include "backend/crypto/seal.h"
#include "backend/service/unit_order.h"
#include "backend/service/unit_ties.h"
#include "quadlets/run_arguments.h"

namespace leger {
namespace {

const AppUnit* find_unit(const Generation& generation, const std::string& name) {
  const auto found = std::ranges::find(generation.units, name, &AppUnit::name);
  return found == generation.units.end() ? nullptr : &*found;
}

// Whether a unit's text names `path`, and not only a longer one.
bool names_path(const std::string& text, const std::string& path) {
  constexpr std::string_view kGoesOn = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@_.-";
  for (std::size_t at = text.find(path); at != std::string::npos; at = text.find(path, at + 1)) {
    std::size_t end = at + path.size();
    if (end < text.size() && text[end] == '/') ++end;
    if (end == text.size() || kGoesOn.find(text[end]) == std::string_view::npos) return true;
  }
  return false;
}

// The bundle's folders, its own as an empty name.
std::set<std::string> folders_of(const Generation& generation) {
  std::set<std::string> folders{""};
  for (const auto& [file, hash] : generation.files) {
    for (std::size_t slash = file.find('/'); slash != std::string::npos; slash = file.find('/', slash + 1)) {
      folders.insert(file.substr(0, slash));
    }
  }
  return folders;
}

// The path of `name`, the bundle's own folder where it is empty.
std::string path_in(const std::string& folder, const std::string& name) {
  return name.empty() ? folder : folder + "/" + name;
}

std::vector<std::string> reasons_to_change(const Generation& live, const AppUnit& before, const Generation& staged,
                                           const AppUnit& now, const std::string& live_folder) {
  std::vector<std::string> reasons;
  if (before.text != now.text) reasons.emplace_back("unit");
  for (const auto& [file, hash] : staged.files) {
    if (is_quadlet(file) || !names_path(now.text, path_in(live_folder, file))) continue;
    const auto was = live.files.find(file);
    if (was == live.files.end() || was->second != hash) reasons.push_back("file " + file);
  }
  for (const std::string& secret : now.secrets) {
    const auto was = live.secrets.find(secret);
    const auto is = staged.secrets.find(secret);
    const bool same = was != live.secrets.end() && is != staged.secrets.end() && was->second == is->second;
    if (!same) reasons.push_back("secret " + secret);
  }
  if (before.image == now.image && !before.image_id.empty() && before.image_id != now.image_id) {
    reasons.emplace_back("image");
  }
  // A mounted folder is exchanged with the app's, also where nothing in it differs: a container that goes on running
  // has the old one, which goes away.
  if (live.files == staged.files) return reasons;
  for (const std::string& folder : folders_of(staged)) {
    if (names_path(now.text, path_in(live_folder, folder)))
      reasons.push_back("folder " + (folder.empty() ? "." : folder));
  }
  return reasons;
}

void plan_removal(const std::string& name, Plan& plan) {
  plan.units.push_back({.name = name, .change = "removed", .reasons = {}});
  plan.stop.push_back(name);
}

// Units that are no longer there, what runs before what it stands on. With a template all its instances go; one that
// only has another default instance stays.
void plan_removals(const Generation& live, const Generation& staged, const HostState& host, Plan& plan) {
  auto order = start_order(live.units);
  std::ranges::reverse(order);
  for (const std::string& name : order) {
    if (find_unit(staged, name) != nullptr) continue;
    const auto instances = host.instances.find(name);
    if (instances != host.instances.end() && !has_file(staged, find_unit(live, name)->file())) {
      for (const std::string& instance : instances->second) plan_removal(instance, plan);
    }
    plan_removal(name, plan);
  }
}

bool is_down(const HostState& host, const std::string& unit) {
  const auto state = host.unit_states.find(unit);
  return state != host.unit_states.end() && state->second != "active" && state->second != "reloading";
}

// The services to start, in order, of which the units themselves say why. Those of other apps stay at the end.
void plan_restarts(const Generation& staged, const HostState& host, Plan& plan) {
  std::vector<std::string> restart;
  for (PlannedUnit& unit : plan.units) {
    const AppUnit* known = find_unit(staged, unit.name);
    if (known == nullptr) continue;
    // A new maker is started by its first user.
    if (known->is_maker() && unit.change == "changed") restart.push_back(unit.name);
    if (!known->is_service()) continue;
    if (unit.change == "unchanged" && is_down(host, unit.name)) unit.reasons.emplace_back("not running");
    if (unit.change != "unchanged" || !unit.reasons.empty()) restart.push_back(unit.name);
  }
  const auto along = taken_along(staged.units, restart);
  for (PlannedUnit& unit : plan.units) {
    const auto found = along.find(unit.name);
    const AppUnit* known = find_unit(staged, unit.name);
    if (found == along.end() || known == nullptr || !known->is_service()) continue;
    unit.reasons.push_back("needs " + found->second);
    restart.push_back(unit.name);
  }
  auto others = std::exchange(plan.restart, {});
  std::erase_if(others, [&staged](const std::string& name) { return find_unit(staged, name) != nullptr; });
  for (const std::string& name : start_order(staged.units)) {
    if (std::ranges::contains(restart, name)) plan.restart.push_back(name);
  }
  plan.restart.insert(plan.restart.end(), others.begin(), others.end());
}

void add_once(std::vector<std::string>& list, const std::string& text) {
  if (!std::ranges::contains(list, text)) list.push_back(text);
}

// What the app asks of Podman and of the host.
void plan_needs(const Generation& staged, const HostState& host, Plan& plan) {
  for (const AppUnit& unit : staged.units) {
    const auto known = host.image_ids.find(unit.image);
    if (known != host.image_ids.end() && known->second.empty()) add_once(plan.images, unit.image);
    for (const HostPorts& ports : published_ports(unit.text, unit.image)) add_once(plan.ports, ports.text());
    if (!std::ranges::contains(plan.restart, unit.name)) continue;
    for (const std::string& volume : mounted_volumes(unit.text, unit.image)) add_once(plan.volumes, volume);
  }
}

// `up` or `down`; what starts over and over is up at every look, so that a plan to mend it can be accepted.
std::string rough_state(const std::string& active_state) {
  return active_state == "inactive" || active_state == "failed" ? "down" : "up";
}

Json fields_of(const Plan& plan, const Generation& staged, const std::vector<Finding>& findings) {
  Json units = Json::array();
  for (const PlannedUnit& unit : plan.units) {
    units.push_back({{"name", unit.name}, {"change", unit.change}, {"reasons", unit.reasons}});
    if (!unit.app.empty()) units.back()["app"] = unit.app;
  }
  Json secrets = Json::array();
  for (const auto& [name, version] : staged.secrets) secrets.push_back({{"name", name}, {"version", version}});
  return Json{{"units", units},         {"restart", plan.restart}, {"findings", findings_json(findings)},
              {"images", plan.images},  {"ports", plan.ports},     {"secrets", secrets},
              {"volumes", plan.volumes}};
}

Json units_json(const Generation& generation) {
  Json units = Json::array();
  for (const AppUnit& unit : generation.units) units.push_back({unit.name, unit.text, unit.image, unit.image_id});
  return units;
}

}  // namespace

Plan make_plan(const std::optional<Generation>& live, const Generation& staged, const std::string& live_folder,
               const HostState& host) {
  Plan plan;
  for (const AppUnit& unit : staged.units) {
    const AppUnit* before = live ? find_unit(*live, unit.name) : nullptr;
    PlannedUnit planned{.name = unit.name, .change = "added", .reasons = {}, .app = {}};
    if (before != nullptr) {
      planned.reasons = reasons_to_change(*live, *before, staged, unit, live_folder);
      planned.change = planned.reasons.empty() ? "unchanged" : "changed";
    }
    plan.units.push_back(std::move(planned));
  }
  change_together(staged, plan.units);
  plan_restarts(staged, host, plan);
  plan_needs(staged, host, plan);
  if (!live) return plan;
  plan_removals(*live, staged, host, plan);
  plan.switches = live->files != staged.files;
  return plan;
}

void plan_new_images(const std::optional<Generation>& live, const Generation& staged, Plan& plan) {
  if (!live) return;
  bool is_other = false;
  for (PlannedUnit& unit : plan.units) {
    const AppUnit* now = find_unit(staged, unit.name);
    const AppUnit* before = find_unit(*live, unit.name);
    if (now == nullptr || before == nullptr || unit.change == "added") continue;
    const bool is_same = before->image_id.empty() || before->image_id == now->image_id || before->image != now->image;
    if (is_same || std::ranges::contains(unit.reasons, "image")) continue;
    unit.change = "changed";
    unit.reasons.emplace_back("image");
    is_other = true;
  }
  if (!is_other) return;
  change_together(staged, plan.units);
  plan_restarts(staged, {}, plan);
}

Json planned_json(const std::string& id, const Plan& plan, const Generation& staged,
                  const std::vector<Finding>& findings) {
  Json answer{{"plan_id", id}};
  answer.update(fields_of(plan, staged, findings));
  return answer;
}

std::string plan_json(const Plan& plan, const Generation& staged, const std::vector<Finding>& findings) {
  return dump(fields_of(plan, staged, findings));
}

std::string plan_id(const PlanBasis& basis) {
  Json live;
  if (basis.live) {
    live = {{"units", units_json(*basis.live)}, {"files", basis.live->files}, {"secrets", basis.live->secrets}};
  }
  Json states = Json::object();
  for (const auto& [unit, state] : basis.host.unit_states) states[unit] = rough_state(state);
  const Json all{{"release", basis.release_sha256},
                 {"live_id", basis.live_id},
                 {"live", live},
                 {"staged", {units_json(basis.staged), basis.staged.files}},
                 {"states", states},
                 {"images", basis.host.image_ids},
                 {"stop", basis.plan.stop},
                 {"plan", plan_json(basis.plan, basis.staged, basis.findings)}};
  Sha256 hash;
  hash.update(dump(all));
  return hash.hex();
}

}  // namespace leger
