#pragma once

// Who keeps the values of Podman's secrets, as the configuration says. Pure, but for a look at the file system.

#include <string>
#include <vector>

#include "backend/base/error.h"
#include "daemon/config.h"
#include "quadlets/podman.h"

namespace leger {

// Podman's own driver, or leger: the configured one, else the one beside legerd's own program.
SecretKeeper secret_keeper(const Config& config);

// The files that are run of legerd's own and that its user could write or replace: its program and the leger that
// Podman runs or may have run, with what they lead to where they are links. What only root can change is not among
// them.
std::vector<std::string> leger_programs(const Config& config);

// invalid_request where Podman could not run the program: no container with a secret would start.
Result<void> check_secret_keeper(const SecretKeeper& keeper);

}  // namespace leger
