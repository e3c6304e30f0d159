#pragma once

// leger podman-secret: what Podman runs for a secret whose value legerd keeps (podman_secrets = "legerd"). A look-up
// writes the value's bytes; the others have nothing to do, since nothing is kept here. Each gives the exit code.

#include <cstdint>
#include <string>

#include "cli/context.h"

namespace leger {

struct LookupOptions {
  std::string user_uuid;
  std::string name;
  std::uint64_t version = 0;
};

// Waits for legerd, which may start after the container does.
int look_up_for_podman(const Context& context, const LookupOptions& options);

// Takes what Podman would have stored, and drops it.
int store_for_podman(const Io& io, Output& output);

// Podman asks for the secret whose id is in SECRET_ID. Without an id it is about to take the empty one for the
// beginning of another secret's (5.4.2): refused.
int delete_for_podman(const Io& io, Output& output);

}  // namespace leger
