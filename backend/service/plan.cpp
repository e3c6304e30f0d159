#include "backend/service/plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "backend/base/json.h"

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
  // A mounted folder is exchanged with the app's, also where nothing in it differs: a container that goes on running
  // has the old one, which goes away.
  if (live.files == staged.files) return reasons;
  for (const std::string& folder : folders_of(staged)) {
    if (names_path(now.text, path_in(live_folder, folder)))
      reasons.push_back("folder " + (folder.empty() ? "." : folder));
  }
  return reasons;
}

// Units that are no longer there, what runs before what it stands on.
void plan_removals(const Generation& live, const Generation& staged, Plan& plan) {
  for (const bool services : {true, false}) {
    for (const AppUnit& unit : live.units) {
      if (unit.is_service() != services || find_unit(staged, unit.name) != nullptr) continue;
      plan.units.push_back({.name = unit.name, .change = "removed", .reasons = {}});
      plan.stop.push_back(unit.name);
    }
  }
}

}  // namespace

Plan make_plan(const std::optional<Generation>& live, const Generation& staged, const std::string& live_folder) {
  Plan plan;
  for (const AppUnit& unit : staged.units) {
    const AppUnit* before = live ? find_unit(*live, unit.name) : nullptr;
    PlannedUnit planned{.name = unit.name, .change = "added", .reasons = {}};
    if (before != nullptr) {
      planned.reasons = reasons_to_change(*live, *before, staged, unit, live_folder);
      planned.change = planned.reasons.empty() ? "unchanged" : "changed";
    }
    if (unit.is_service() && planned.change != "unchanged") plan.restart.push_back(unit.name);
    plan.units.push_back(std::move(planned));
  }
  if (!live) return plan;
  plan_removals(*live, staged, plan);
  plan.switches = live->files != staged.files;
  return plan;
}

std::string plan_json(const Plan& plan, const Generation& staged) {
  Json units = Json::array();
  for (const PlannedUnit& unit : plan.units) {
    units.push_back({{"name", unit.name}, {"change", unit.change}, {"reasons", unit.reasons}});
  }
  Json images = Json::array();
  for (const AppUnit& unit : staged.units) {
    if (!unit.image.empty()) images.push_back(unit.image);
  }
  Json secrets = Json::array();
  for (const auto& [name, version] : staged.secrets) secrets.push_back({{"name", name}, {"version", version}});
  return dump(Json{{"units", units},
                   {"restart", plan.restart},
                   {"images", images},
                   {"secrets", secrets},
                   {"volumes", staged.volumes}});
}

}  // namespace leger
