#pragma once

// In which order units of one app start: what they stand on comes first. Pure.

#include <map>
#include <string>
#include <vector>

#include "backend/service/generation.h"

namespace leger {

// Names of `units`, each behind those that its text names with After=, Requires= or BindsTo=, and before those of
// Before=; networks, volumes, images and pods first, else in the order given. A circle is cut where it begins.
std::vector<std::string> start_order(const std::vector<AppUnit>& units);

// The units that systemd restarts together with those of `restarted`, each with the one that takes it along, since
// Requires=, BindsTo= or PartOf= bind it.
std::map<std::string, std::string> taken_along(const std::vector<AppUnit>& units,
                                               const std::vector<std::string>& restarted);

}  // namespace leger
