#pragma once

// What `--volume`, `--mount` and the options of a volume bring into a container. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "quadlets/policy_context.h"

namespace leger {

// The fields of one CSV record, as Go's encoding/csv reads it.
std::vector<std::string> csv_fields(std::string_view record);

void judge_volume(PolicyContext& context, const std::string& value);
void judge_mount(PolicyContext& context, const std::string& value);
// `--opt NAME=VALUE` of `podman volume create`.
void judge_volume_option(PolicyContext& context, const std::string& value);

}  // namespace leger
