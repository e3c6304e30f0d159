#pragma once

// The lines of [Unit], [Service] and [Install] other than commands. Pure.

#include "quadlets/policy_context.h"
#include "quadlets/policy_units.h"

namespace leger {

void judge_settings(PolicyContext& context, const ExpandedUnit& unit);

}  // namespace leger
