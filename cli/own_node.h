#pragma once

// Who this machine is in its tailnet, as the local tailscaled says. Blocking, one thread.

#include "backend/base/error.h"
#include "backend/tailscale/node.h"
#include "cli/io.h"

namespace leger {

// Asks the socket LEGER_TAILSCALED_SOCKET, else /var/run/tailscale/tailscaled.sock. unavailable, with how to start it,
// where tailscaled is absent, silent, or not connected.
Result<NodeStatus> own_node(const Io& io);

}  // namespace leger
