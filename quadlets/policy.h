#pragma once

// What the units of an app may do to the host, judged on what the generator made of them and never on the quadlet's
// own text (threats T33, T35): every command line, option by option, and every line of [Unit], [Service] and [Install],
// read as systemd reads them. What is not known to be harmless is a finding. Pure: what has to be read is handed in.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "quadlets/generator.h"

namespace leger {

enum class PolicyLevel { flagged, denied };

struct PolicyFinding {
  std::string id;  // RULE:FILE, with :2, :3 … behind it where one rule has several things to say of a file
  PolicyLevel level = PolicyLevel::flagged;
  std::string rule;     // one of policy_rules()
  std::string file;     // of the bundle
  std::string message;  // fit to be shown; holds no value that may be a secret
};

// The host and the app, as far as a verdict depends on them. All paths absolute.
struct PolicyPlaces {
  std::string app;
  std::string home;
  std::string runtime_dir;  // $XDG_RUNTIME_DIR
  std::string config_home;
  std::string state_home;
  std::string cache_home;
  std::string data_home;
  std::string user;  // login name, and the numbers as text
  std::string uid;
  std::string gid;
  std::string quadlet_dir;
  std::string staged_folder;              // the folder that the judged units were made from
  std::string live_folder;                // where it will stand
  std::vector<std::string> leger_places;  // folders and files of legerd's own
  // Text of the files in the staged folder, by their path in it; only those that a .kube unit may name are asked for.
  std::map<std::string, std::string> files;
  std::vector<GeneratedUnit> others;  // units of other apps, for the names that are theirs
};

// Findings in the order of units and of their lines. `units` are those made from the staged folder.
std::vector<PolicyFinding> judge_units(const std::vector<GeneratedUnit>& units, const PolicyPlaces& places);

// Drop-in folders among the paths of a bundle that would change the units of other apps (threats T34).
std::vector<PolicyFinding> judge_dropins(const std::vector<std::string>& files);

// Every rule that there is, in order.
const std::vector<std::string_view>& policy_rules();

// Denials whose rule stands in `allowed`, as RULE or APP:RULE, become flagged.
void apply_allowances(std::vector<PolicyFinding>& findings, const std::string& app,
                      const std::vector<std::string>& allowed);

// What is wrong with an entry of allow_dangerous, as the end of a sentence; empty where nothing is.
std::string allowance_problem(std::string_view entry);

}  // namespace leger
