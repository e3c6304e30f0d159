#pragma once

// The YAML file of a .kube unit. It is not parsed as YAML: words that can reach the host are looked for in the whole
// text, and a text that could hide them is denied. Pure.

#include <string>

#include "quadlets/policy_context.h"

namespace leger {

// `path` is what `podman kube play` is told to read.
void judge_kube_file(PolicyContext& context, const std::string& path);

}  // namespace leger
