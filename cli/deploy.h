#pragma once

// leger deploy: install, list, remove. Install and remove wait for the end of what they started; each gives the exit
// code.

#include <string>

#include "cli/context.h"

namespace leger {

struct RemoveOptions {
  std::string name;      // of the app; empty: the only one that is deployed
  bool volumes = false;  // its volumes too, which deletes their data
  bool yes = false;      // without being asked
};

// `release` is a version, `latest`, an app's name for the newest of it, or `NAME@VERSION`.
int install(const Context& context, const std::string& release);
int list_deployments(const Context& context);
int remove_app(const Context& context, const RemoveOptions& options);

}  // namespace leger
