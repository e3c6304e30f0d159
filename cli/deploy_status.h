#pragma once

// leger deploy status: the apps that are deployed, each with its release, units, images, secrets and last deployment.
// Gives the exit code: 0 also where a unit has failed.

#include <string>

#include "cli/context.h"

namespace leger {

// `name` of an app, empty: all of them. deployment_not_found where it is not deployed.
int show_deployed(const Context& context, const std::string& name);

}  // namespace leger
