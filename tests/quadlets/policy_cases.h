#pragma once

// What tests of the policy share: a made-up host, and verdicts as text that can be compared.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "quadlets/policy.h"

namespace leger::test {

// alice's host, whose app `app` is staged in `folder`.
inline PolicyPlaces places_of(const std::string& folder) {
  PolicyPlaces places;
  places.app = "app";
  places.home = "/home/alice";
  places.runtime_dir = "/run/user/1000";
  places.config_home = "/home/alice/.config";
  places.state_home = "/home/alice/.local/state";
  places.cache_home = "/home/alice/.cache";
  places.data_home = "/home/alice/.local/share";
  places.user = "alice";
  places.uid = "1000";
  places.gid = "1000";
  places.quadlet_dir = "/home/alice/.config/containers/systemd";
  places.staged_folder = folder;
  places.live_folder = places.quadlet_dir + "/app";
  places.leger_places = {"/home/alice/.local/state/leger", "/home/alice/.config/leger", "/opt/leger/bin"};
  return places;
}

// `denied privileged`, sorted and each once.
inline std::set<std::string> verdicts(const std::vector<PolicyFinding>& findings) {
  std::set<std::string> list;
  for (const PolicyFinding& finding : findings) {
    list.insert((finding.level == PolicyLevel::denied ? "denied " : "flagged ") + finding.rule);
  }
  return list;
}

}  // namespace leger::test
