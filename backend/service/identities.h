#pragma once

// Who is at the other end of a connection, proven by tailscaled (or by the control API where the configuration has a
// key for it), never by what the client sends. What a peer of this machine itself can prove is that it is local,
// nothing more: a container that calls the host's own tailnet address would look like its owner (threats, facts 1 and
// 2). Loop thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/service/addresses.h"
#include "backend/service/this_node.h"
#include "backend/tailscale/control_api.h"
#include "backend/tailscale/local_api.h"

namespace leger {

// The other end as the kernel says it.
struct PeerAddress {
  bool is_owner_socket = false;  // the Unix socket, with our own account behind it
  std::string ip;
  std::uint16_t port = 0;
};

// A person on a device of the tailnet.
struct Identity {
  std::string binding;            // `tailnet:<user id>` or `login:<name>`: what a session is tied to
  std::string tailscale_user_id;  // decimal, or `login:<name>`: what an account is keyed on
  std::string login_name;
  std::string display_name;
  std::string tailnet;
  std::string device_id;      // the stable one
  std::string device_number;  // the numeric one in decimal, or the control API's other id
  std::string hostname;
  std::vector<std::string> roles;  // of the app capability
};

inline constexpr std::string_view kLocalBinding = "local";

struct IdentitySettings {
  bool userspace = false;  // tailnet callers come from 127.0.0.1
  // As in addresses.h, which asks the kernel; a test without connections says it itself. Off the loop.
  std::function<bool(const std::string& ip, std::uint16_t port)> is_sole_connection = leger::is_sole_connection;
};

class Identities {
 public:
  // All outlive this; `control` is null where the control API is not to be asked.
  Identities(Loop& loop, LocalApi& tailscaled, ControlApi* control, ThisNode& node, IdentitySettings settings);

  // The person at `peer`. tailscale_verification_failed, with what to do, where there is none to be proven: a peer of
  // this machine or its link, a device that nobody knows, a tagged, shared-in or expired one; unavailable where
  // tailscaled cannot be asked.
  Task<Result<Identity>> prove(PeerAddress peer);

  // Whether `peer` is a process of this machine, which is what a `local` session may be used from.
  // tailscale_verification_failed where not.
  Task<Result<void>> prove_local(PeerAddress peer);

 private:
  Task<Result<Identity>> prove_by_whois(PeerAddress peer);
  Task<Result<WhoIs>> ask_whois(PeerAddress peer);
  Task<bool> is_sole(PeerAddress peer);
  Task<Result<Identity>> prove_by_control(PeerAddress peer);
  Result<void> may_be_asked_about(const PeerAddress& peer) const;
  bool is_proxied_loopback(const PeerAddress& peer) const;

  Loop& loop_;
  LocalApi& tailscaled_;
  ControlApi* control_;
  ThisNode& node_;
  const IdentitySettings settings_;
  std::optional<std::vector<Device>> devices_;  // of the control API, as they were a moment ago
  std::uint64_t devices_since_ms_ = 0;
  bool devices_asked_ = false;  // an answer is awaited
};

}  // namespace leger
