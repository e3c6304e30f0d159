#include "backend/service/unit_ties.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/unit_file.h"

namespace leger {
namespace {

// Whether a setting of [Unit] names the unit `name`.
bool names_unit(const AppUnit& unit, std::string_view setting, const std::string& name) {
  for (const UnitEntry& entry : parse_unit_file(unit.text)) {
    if (entry.section != "Unit" || entry.key != setting) continue;
    if (std::ranges::contains(split(entry.value, ' '), std::string_view(name))) return true;
  }
  return false;
}

const AppUnit* find_unit(const Generation& generation, const std::string& name) {
  const auto found = std::ranges::find(generation.units, name, &AppUnit::name);
  return found == generation.units.end() ? nullptr : &*found;
}

bool changes(const std::vector<PlannedUnit>& planned, const std::string& name) {
  const auto found = std::ranges::find(planned, name, &PlannedUnit::name);
  return found != planned.end() && found->change == "changed";
}

void change(std::vector<PlannedUnit>& planned, const std::string& name, std::string reason) {
  const auto found = std::ranges::find(planned, name, &PlannedUnit::name);
  if (found == planned.end() || found->change == "added") return;
  found->change = "changed";
  found->reasons.push_back(std::move(reason));
}

}  // namespace

void find_pods(Generation& generation) {
  for (const AppUnit& pod : generation.units) {
    if (!pod.source.ends_with(".pod")) continue;
    for (AppUnit& unit : generation.units) {
      if (unit.source.ends_with(".container") && names_unit(unit, "BindsTo", pod.name)) unit.pod = pod.name;
    }
  }
}

void change_together(const Generation& staged, std::vector<PlannedUnit>& planned) {
  for (const AppUnit& maker : staged.units) {
    if (!maker.is_maker() || !changes(planned, maker.name)) continue;
    for (const AppUnit& unit : staged.units) {
      if (names_unit(unit, "Requires", maker.name)) change(planned, unit.name, "made by " + maker.name);
    }
  }
  for (const AppUnit& unit : staged.units) {
    if (!unit.pod.empty() && changes(planned, unit.name) && !changes(planned, unit.pod)) {
      change(planned, unit.pod, "container " + unit.name);
    }
  }
  for (const AppUnit& unit : staged.units) {
    if (!unit.pod.empty() && changes(planned, unit.pod) && !changes(planned, unit.name)) {
      change(planned, unit.name, "pod " + unit.pod);
    }
  }
}

std::vector<std::string> without_pod_members(const Generation& generation, const std::vector<std::string>& units) {
  std::vector<std::string> left;
  for (const std::string& name : units) {
    const AppUnit* unit = find_unit(generation, name);
    if (unit == nullptr || unit->pod.empty() || !std::ranges::contains(units, unit->pod)) left.push_back(name);
  }
  return left;
}

}  // namespace leger
