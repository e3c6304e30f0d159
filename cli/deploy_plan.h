#pragma once

// What a deployment would do, as legerd plans it: shown to people, and agreed to before it is begun. One thread.

#include <string>
#include <variant>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "cli/context.h"
#include "cli/release_ref.h"

namespace leger {

struct DeployOptions {
  std::string release = "latest";  // as release_ref.h has it
  bool dry_run = false;            // the plan alone
  bool yes = false;                // accepts what is flagged
  bool retry = false;              // a release that did not start here
  bool adopt = false;              // takes over Podman's secrets that are somebody else's
};

// legerd's plan for the release; the error is legerd's.
Result<Json> fetch_plan(const Context& context, const FoundRelease& release);

// The whole plan as text, or as data; gives the exit code: 1 for a release that must not be installed.
int show_plan(const Context& context, const FoundRelease& release, const Json& plan);

// The body that asks legerd for exactly this plan, or the exit code where it is refused or not agreed to. Says in a
// line what will be done.
std::variant<Json, int> agree_to_plan(const Context& context, const FoundRelease& release, const Json& plan,
                                      const DeployOptions& options);

// leger deploy plan
int plan_release(const Context& context, const std::string& release);

}  // namespace leger
