#pragma once

// Where a container's network ends, and which of its ports others can reach. Pure.

#include <string>

#include "quadlets/policy_context.h"

namespace leger {

void judge_network(PolicyContext& context, const std::string& value);
void judge_publish(PolicyContext& context, const std::string& value);

}  // namespace leger
