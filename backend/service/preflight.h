#pragma once

// Everything that can be known to go wrong before the host is touched: all findings at once. Loop thread; reads only.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/findings.h"
#include "backend/service/generation.h"
#include "backend/service/install_options.h"
#include "backend/service/plan.h"
#include "backend/service/secret_users.h"
#include "quadlets/bundle.h"

namespace leger {

// An app that is staged, and all that there is to say about it.
struct Prepared {
  Generation staged;
  std::optional<Generation> live;  // what the app's folder holds now
  Plan plan;
  std::vector<Finding> flags;   // flagged: installed when they are accepted
  std::vector<Finding> denied;  // with one of these it is not installed
  std::vector<Finding> notes;
  std::vector<PodmanSecret> foreign;  // secrets in Podman that are in the way
  SecretUsers others;                 // what uses a secret in other apps that this deployment gives another version
  std::string plan_id;

  // All of them, the worst first.
  std::vector<Finding> findings() const;
};

// `staging_id` names the unpacked folder, `release_sha256` is of the bundle that it came from, `live` is the app's
// deployment row where it is installed; `made_with` is the generation of the same release whose secret versions and
// images it gets, the newest where there is none. upstream_failed or unavailable where Podman, the generator or systemd
// cannot be asked.
Task<Result<Prepared>> preflight(DeployParts& parts, std::string user_uuid, std::string staging_id, Manifest manifest,
                                 std::string release_sha256, std::optional<Deployment> live,
                                 std::optional<Generation> made_with = std::nullopt);

// Whether it may be installed with what was agreed to. conflict for a plan that is out of date and for secrets that are
// someone else's, preflight_failed and confirmation_required with the findings in `details`.
Result<void> check_agreed(const Prepared& prepared, const InstallOptions& options);

}  // namespace leger
