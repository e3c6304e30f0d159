#include "backend/service/unit_order.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

#include "quadlets/run_arguments.h"

namespace leger {
namespace {

int rank_of(const AppUnit& unit) {
  constexpr std::array<std::string_view, 6> kFirst{".network", ".volume", ".image", ".build", ".artifact", ".pod"};
  for (std::size_t rank = 0; rank < kFirst.size(); ++rank) {
    if (unit.source.ends_with(kFirst[rank])) return static_cast<int>(rank);
  }
  return kFirst.size();
}

// What each unit waits for, of the app's own.
std::map<std::string, std::set<std::string>> waits_of(const std::vector<AppUnit>& units) {
  std::map<std::string, std::set<std::string>> waits;
  for (const AppUnit& unit : units) waits[unit.name];
  for (const AppUnit& unit : units) {
    for (const std::string& other : named_units(unit.text, {"After", "Requires", "BindsTo"})) {
      if (waits.contains(other)) waits[unit.name].insert(other);
    }
    for (const std::string& other : named_units(unit.text, {"Before"})) {
      if (waits.contains(other)) waits[other].insert(unit.name);
    }
  }
  return waits;
}

}  // namespace

std::vector<std::string> start_order(const std::vector<AppUnit>& units) {
  std::vector<AppUnit> left = units;
  std::ranges::stable_sort(left, {}, rank_of);
  const auto waits = waits_of(units);
  std::vector<std::string> order;
  while (!left.empty()) {
    const auto is_ready = [&](const AppUnit& unit) {
      return std::ranges::all_of(waits.at(unit.name), [&](const std::string& other) {
        return other == unit.name || std::ranges::contains(order, other);
      });
    };
    auto next = std::ranges::find_if(left, is_ready);
    if (next == left.end()) next = left.begin();
    order.push_back(next->name);
    left.erase(next);
  }
  return order;
}

std::map<std::string, std::string> taken_along(const std::vector<AppUnit>& units,
                                               const std::vector<std::string>& restarted) {
  std::map<std::string, std::string> along;
  std::vector<std::string> open = restarted;
  while (!open.empty()) {
    const std::string one = std::move(open.back());
    open.pop_back();
    for (const AppUnit& unit : units) {
      if (along.contains(unit.name) || std::ranges::contains(restarted, unit.name)) continue;
      if (!std::ranges::contains(named_units(unit.text, {"Requires", "BindsTo", "PartOf"}), one)) continue;
      along.emplace(unit.name, one);
      open.push_back(unit.name);
    }
  }
  return along;
}

}  // namespace leger
