#pragma once

// The judgement of the podman options that depends on their value, and of images. Mounts are in policy_mounts. Pure.

#include <string>
#include <string_view>

#include "quadlets/policy_context.h"
#include "quadlets/policy_options.h"

namespace leger {

// One option of any kind: fine, flagged, denied, by its value, or not in the table.
void judge_option(PolicyContext& context, const GivenOption& given);

// What a container or a volume takes its files from. One that a unit of the app pulls or builds is judged there.
void judge_image(PolicyContext& context, const std::string& image);
void judge_pulled_image(PolicyContext& context, const std::string& image);

// The context of a build, or another file or folder that it reads.
void judge_build_path(PolicyContext& context, const std::string& value);

}  // namespace leger
