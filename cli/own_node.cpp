#include "cli/own_node.h"

#include "backend/base/clock.h"
#include "backend/base/http_client.h"
#include "backend/base/loop.h"
#include "backend/tailscale/local_api.h"
#include "cli/wait.h"

namespace leger {

Result<NodeStatus> own_node(const Io& io) {
  const SystemClock clock;
  Loop loop(clock);
  HttpClient http(loop);
  LocalApi tailscaled(loop, http,
                      io.variable("LEGER_TAILSCALED_SOCKET").value_or("/var/run/tailscale/tailscaled.sock"));
  auto status = wait_for(loop, tailscaled.status());
  if (status && status->is_running()) return status;
  return Fail({Code::unavailable,
               "Tailscale not running",
               "Start Tailscale:\n  sudo tailscale up\n\nVerify status:\n  tailscale status",
               {}});
}

}  // namespace leger
