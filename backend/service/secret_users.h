#pragma once

// Podman has one secret a name, so all users of a secret, across the apps of an account, are one set: restarted, judged
// and reverted together. This finds them. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/service/generation.h"
#include "backend/service/plan.h"
#include "backend/store/deployments.h"
#include "quadlets/generator.h"

namespace leger {

struct SecretUser {
  std::string app;
  std::string unit;
  std::vector<std::string> secrets;  // of those that change
};

struct SecretUsers {
  std::vector<SecretUser> units;                // services; what others need comes before them
  std::map<std::string, std::uint64_t> before;  // the versions that the changed secrets had
  std::vector<SecretMove> moves;                // for the live deployments, once all of it has worked
};

struct SecretChange {
  std::string user_uuid;
  std::string except;                             // an app that is looked after otherwise; empty: none
  std::map<std::string, std::uint64_t> versions;  // that secrets get
};

// What of `live` is touched by a change. `live_run` is the generator's run over `quadlet_dir`, which tells the secrets
// that drop-ins add, and what needs what. internal_error for a journal that cannot be read.
Result<SecretUsers> users_of_change(const std::vector<Deployment>& live, const DryRun& live_run,
                                    const std::string& quadlet_dir, const SecretChange& change);

// As a plan shows them.
std::vector<PlannedUnit> planned_units(const SecretUsers& users);

std::vector<std::string> unit_names(const SecretUsers& users);

}  // namespace leger
