#pragma once

// The command lines of a unit: those that the generator makes for its kind, with the options in them; every other is
// the bundle's own. Pure.

#include "quadlets/policy_context.h"
#include "quadlets/policy_units.h"

namespace leger {

void judge_commands(PolicyContext& context, const ExpandedUnit& unit);

}  // namespace leger
