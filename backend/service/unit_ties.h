#pragma once

// How the units of an app hang together: what makes an image and what is started from it, a pod and its containers.
// Pure.

#include <string>
#include <vector>

#include "backend/service/generation.h"
#include "backend/service/plan.h"

namespace leger {

// Fills in AppUnit::pod from the units' generated texts.
void find_pods(Generation& generation);

// Adds to the units planned for `staged` what changes with others: who uses an image whose maker changes; a pod one of
// whose containers changes, since it would end with its last one; and all containers of a pod that changes.
void change_together(const Generation& staged, std::vector<PlannedUnit>& planned);

// `units` without the containers whose pod is among them: systemd starts those anew with it.
std::vector<std::string> without_pod_members(const Generation& generation, const std::vector<std::string>& units);

}  // namespace leger
