#pragma once

// leger deploy list, history: what was deployed, and what came of it. Each gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

// The newest deployments; `name` of an app, empty: of all.
int list_deployments(const Context& context, const std::string& name);
// Every deployment there was, with the reason of those that failed.
int show_deployment_history(const Context& context, const std::string& name);

// One page of GET /api/deployments: its `deployments` is an array. `before` is the id of the last one that was seen,
// empty for the newest; `limit` 0 is legerd's own.
Result<Json> fetch_deployments(ApiClient& api, const std::string& name, const std::string& before, std::uint32_t limit);

}  // namespace leger
