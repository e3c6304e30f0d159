#include "backend/service/identities.h"

#include <utility>

#include "backend/base/offload.h"
#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::uint64_t kNodeAgeMs = 10'000;     // of this node's own identity, when another one's is judged
constexpr std::uint64_t kDevicesAgeMs = 30'000;  // of the control API's list

Fail not_verified(std::string message, std::string action) {
  return Fail({Code::tailscale_verification_failed, std::move(message), std::move(action), {}});
}

std::string endpoint_text(const PeerAddress& peer) {
  const bool v6 = peer.ip.contains(':');
  return (v6 ? "[" + peer.ip + "]" : peer.ip) + ":" + std::to_string(peer.port);
}

Fail from_this_machine() {
  return not_verified(
      "This connection comes from the machine that legerd runs on, whose address proves nobody's identity.",
      "On the host itself use the Unix socket: leger auth login, or leger open for the browser.");
}

Identity identity_of(const WhoIs& who, const NodeStatus& node) {
  const std::string id = std::to_string(who.user_id);
  return {.binding = "tailnet:" + id,
          .tailscale_user_id = id,
          .login_name = who.login_name,
          .display_name = who.display_name,
          .tailnet = node.tailnet,
          .device_id = who.stable_id,
          .device_number = std::to_string(who.node_id),
          .hostname = who.hostname,
          .roles = who.roles};
}

Identity identity_of(const Device& device, const std::string& tailnet) {
  const std::string login = "login:" + ascii_lower(device.user);
  return {.binding = login,
          .tailscale_user_id = login,
          .login_name = device.user,
          .display_name = device.user,
          .tailnet = tailnet,
          .device_id = device.node_id,
          .device_number = device.id,
          .hostname = device.hostname,
          .roles = {}};
}

// The tailnet's part of a MagicDNS name.
std::string tailnet_of(const std::string& node_name) {
  const std::size_t dot = node_name.find('.');
  return dot == std::string::npos ? "" : node_name.substr(dot + 1);
}

}  // namespace

Identities::Identities(Loop& loop, LocalApi& tailscaled, ControlApi* control, ThisNode& node, IdentitySettings settings)
    : loop_(loop), tailscaled_(tailscaled), control_(control), node_(node), settings_(std::move(settings)) {}

// A loopback peer that tailscaled may have carried here.
bool Identities::is_proxied_loopback(const PeerAddress& peer) const {
  const NodeStatus* node = node_.known();
  return is_loopback(peer.ip) && (settings_.userspace || (node != nullptr && node->is_userspace));
}

Result<void> Identities::may_be_asked_about(const PeerAddress& peer) const {
  if (peer.is_owner_socket) {
    return not_verified("This is the Unix socket, which needs no sign-in.",
                        "For a token to be used over TCP run: leger auth login");
  }
  if (is_loopback(peer.ip) && settings_.userspace) return {};
  if (is_proxied_loopback(peer)) {
    return not_verified(
        "tailscaled runs without a network device here, so that legerd cannot tell tailnet callers "
        "from programs of this machine.",
        "If you come from the tailnet, set this in legerd.toml and restart legerd:\n"
        "  [tailscale]\n  userspace = true\n"
        "On the host itself use the Unix socket: leger auth login");
  }
  if (is_link_local(peer.ip)) {
    return not_verified("A link-local address proves nobody's identity.",
                        "Come by the host's Tailscale address: tailscale status");
  }
  if (owner_of_address(peer.ip) != Owner::another) return from_this_machine();
  return {};
}

Task<Result<Identity>> Identities::prove(PeerAddress peer) {
  if (auto allowed = may_be_asked_about(peer); !allowed) co_return Fail(allowed.error());
  if (control_ != nullptr) co_return co_await prove_by_control(std::move(peer));
  co_return co_await prove_by_whois(std::move(peer));
}

Task<Result<Identity>> Identities::prove_by_whois(PeerAddress peer) {
  const auto refreshed = co_await node_.refresh(kNodeAgeMs);
  if (!refreshed) co_return Fail(refreshed.error());
  const auto who = co_await ask_whois(std::move(peer));
  if (!who) co_return Fail(who.error());
  const NodeStatus* node = node_.known();
  if (node == nullptr || !node->is_running()) {
    co_return Fail({Code::unavailable,
                    "tailscaled on the host is not connected to a tailnet.",
                    "On the host run: sudo tailscale up",
                    {}});
  }
  // Whatever way it came: this node is never somebody.
  if (who->stable_id == node->stable_id) co_return from_this_machine();
  if (auto judged = judge_node(*who); !judged) co_return Fail(judged.error());
  co_return identity_of(*who, *node);
}

Task<bool> Identities::is_sole(PeerAddress peer) {
  co_return co_await offload(loop_, [ask = settings_.is_sole_connection, peer] { return ask(peer.ip, peer.port); });
}

// tailscaled knows what it carries here by address and port alone; a program of this machine can use the same port for
// a connection of its own while tailscaled has it open to somebody else's page. So the port must have one use, before
// the question and after it.
Task<Result<WhoIs>> Identities::ask_whois(PeerAddress peer) {
  const bool is_carried = is_loopback(peer.ip);
  const bool before = !is_carried || co_await is_sole(peer);
  auto who = co_await tailscaled_.whois(endpoint_text(peer));
  const bool after = !is_carried || co_await is_sole(peer);
  if (!who || (before && after)) co_return who;
  co_return not_verified("This connection cannot be told from others of the host, which use the same port.",
                         "Try again: a new connection has another port.");
}

Task<Result<Identity>> Identities::prove_by_control(PeerAddress peer) {
  const std::uint64_t now_ms = loop_.timers().now_ms();
  if (!devices_ || now_ms - devices_since_ms_ >= kDevicesAgeMs) {
    // One question at a time: strangers may ask who they are, and each answer is megabytes from far away.
    if (devices_asked_) {
      co_return Fail({Code::unavailable, "The control API is being asked.", "Try again in a moment.", {}});
    }
    devices_asked_ = true;
    auto devices = co_await control_->devices(loop_.clock().wall_seconds());
    devices_asked_ = false;
    if (!devices) co_return Fail(devices.error());
    devices_ = std::move(*devices);
    devices_since_ms_ = now_ms;
  }
  const auto device = device_at(*devices_, peer.ip);
  if (!device) co_return Fail(device.error());
  co_return identity_of(*device, tailnet_of(device->name));
}

Task<Result<void>> Identities::prove_local(PeerAddress peer) {
  if (peer.is_owner_socket) co_return Result<void>();
  if (owner_of_address(peer.ip) != Owner::this_machine) {
    co_return not_verified("This session is good on the host itself only.",
                           "Sign in from this device: leger auth login");
  }
  if (!is_proxied_loopback(peer)) co_return Result<void>();
  const auto who = co_await tailscaled_.whois(endpoint_text(peer));
  if (!who && who.error().code == Code::tailscale_verification_failed) co_return Result<void>();
  if (!who) co_return Fail(who.error());
  co_return not_verified("This session is good on the host itself only.", "Sign in from this device: leger auth login");
}

}  // namespace leger
