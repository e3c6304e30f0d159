#pragma once

// Everything that can be known to go wrong before the host is touched: all findings at once. Loop thread; reads only.

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/generation.h"
#include "backend/service/plan.h"
#include "quadlets/bundle.h"

namespace leger {

struct Finding {
  std::string id;     // stable for the same release and host
  std::string level;  // denied
  std::string file;   // of the bundle; empty where it is about the whole
  std::string message;
};

// An app that is staged and may be installed.
struct Prepared {
  Generation staged;
  std::optional<Generation> live;  // what the app's folder holds now
  Plan plan;
};

// `staging_id` names the unpacked folder, `live` is the app's deployment row where it is installed. preflight_failed
// with the findings in `details`; conflict for a name that is someone else's; upstream_failed or unavailable where
// Podman, the generator or systemd cannot be asked.
Task<Result<Prepared>> preflight(DeployParts& parts, std::string user_uuid, std::string staging_id, Manifest manifest,
                                 std::optional<Deployment> live);

}  // namespace leger
