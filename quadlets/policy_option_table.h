#pragma once

// The rows of the table of podman's options: a constant, apart from the code that reads it for its length.

#include <span>

#include "quadlets/policy_options.h"

namespace leger {

std::span<const PodmanOption> podman_options();

}  // namespace leger
