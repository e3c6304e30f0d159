#pragma once

// What a deployment changes: a pure function of the generation that is live and the one that is staged.

#include <optional>
#include <string>
#include <vector>

#include "backend/service/generation.h"

namespace leger {

struct PlannedUnit {
  std::string name;
  std::string change;                // added, changed, removed, unchanged
  std::vector<std::string> reasons;  // of a change: `unit`, `file hello.conf`, `folder conf.d`, `secret test_key`
};

struct Plan {
  std::vector<PlannedUnit> units;
  std::vector<std::string> restart;  // services that are started or restarted
  std::vector<std::string> stop;     // units that go away, services first
  bool switches = true;              // false: the live folder is the same already and stays
};

// `live` is nothing where the app is not installed.
Plan make_plan(const std::optional<Generation>& live, const Generation& staged, const std::string& live_folder);

// The contract's `plan` field.
std::string plan_json(const Plan& plan, const Generation& staged);

}  // namespace leger
