#pragma once

// What a deployment changes: a pure function of the generation that is live, the one that is staged, and what systemd
// and Podman have of them.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/json.h"
#include "backend/service/findings.h"
#include "backend/service/generation.h"

namespace leger {

struct PlannedUnit {
  std::string name;
  std::string change;  // added, changed, removed, unchanged
  // Why it is changed: `unit`, `file hello.conf`, `folder conf.d`, `secret test_key`, `image`, `made by x.service`; why
  // one that is not is started anew all the same: `not running`, or `needs shop-pod.service` of one that goes down with
  // that.
  std::vector<std::string> reasons;
  std::string app = {};  // whose it is, where that is not the app that is deployed
};

struct Plan {
  std::vector<PlannedUnit> units;
  std::vector<std::string> restart;  // services that are started or restarted, each after what it stands on
  std::vector<std::string> stop;     // units that go away, each before what it stands on
  bool switches = true;              // false: the live folder is the same already and stays
  std::vector<std::string> images;   // references of what Podman has not got and pulls
  std::vector<std::string> ports;    // of the host, that the app publishes: 127.0.0.1:8099/tcp
  std::vector<std::string> volumes;  // Podman's names of what the services of `restart` mount: no rollback undoes what
                                     // is written there
};

// What a plan looks at besides folders.
struct HostState {
  std::map<std::string, std::string> unit_states;  // ActiveState by unit; one that was not asked for is taken to run
  std::map<std::string, std::string> image_ids;    // by reference, empty for one that is not there
  // Of live templates, by the name of the default instance: others that somebody started.
  std::map<std::string, std::vector<std::string>> instances = {};
};

// `live` is nothing where the app is not installed.
Plan make_plan(const std::optional<Generation>& live, const Generation& staged, const std::string& live_folder,
               const HostState& host = {});

// After images were pulled: services of `staged` whose image is another than in `live` by now are restarted too, with
// what goes down with them.
void plan_new_images(const std::optional<Generation>& live, const Generation& staged, Plan& plan);

// The contract's `plan` field.
std::string plan_json(const Plan& plan, const Generation& staged, const std::vector<Finding>& findings = {});

// What the contract answers to the one who asks for a plan.
Json planned_json(const std::string& id, const Plan& plan, const Generation& staged,
                  const std::vector<Finding>& findings);

// All that a plan stands on, and itself.
struct PlanBasis {
  std::string release_sha256;
  std::string live_id;  // of the deployment that is live; empty: none
  const std::optional<Generation>& live;
  const Generation& staged;
  const HostState& host;
  const std::vector<Finding>& findings;
  const Plan& plan;
};

// SHA-256 in hex over all of it: another one where anything is another.
std::string plan_id(const PlanBasis& basis);

}  // namespace leger
