#pragma once

// What the host itself has against a release: ports that others hold, a file system that cannot switch folders, and
// objects of Podman that stay as they are.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/service/findings.h"
#include "backend/service/generation.h"
#include "backend/service/plan.h"
#include "quadlets/installer.h"
#include "quadlets/podman.h"
#include "quadlets/policy.h"

namespace leger {

// A published port that somebody else has, `port-taken`: what can be bound is free. The app's own, where the unit that
// publishes it now is up, is not somebody else's. Blocking for a short time; for the pool.
void find_taken_ports(const std::optional<Generation>& live, const Generation& staged, const HostState& host,
                      std::vector<Finding>& findings);

// `no-exchange` where the file system cannot put staging folder `id` in the place of another in one step; the error
// where it cannot even be tried. Blocking; for the pool.
Result<void> find_no_exchange(Installer& installer, const std::string& id, std::vector<Finding>& findings);

// `container-exists` and `pod-exists`, flagged: one that a unit of the app would replace, and that no unit of it made.
// Podman removes it without a word. `own` are the units that are live now. Pure.
void flag_replaced(const std::vector<PodmanContainer>& containers, const std::set<std::string>& own,
                   const Generation& staged, const PolicyPlaces& host, std::vector<Finding>& flags);
// Whether `finding` is one of those.
bool is_replaced(const Finding& finding);

// `volume-not-changed` and `network-not-changed`: Podman makes them once, and never changes one that is there. Pure.
void note_kept_objects(const std::optional<Generation>& live, const Generation& staged, std::vector<Finding>& notes);

}  // namespace leger
