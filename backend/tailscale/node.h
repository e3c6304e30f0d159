#pragma once

// Who is who in a tailnet, as tailscaled says: another node with its user, and this node itself. Values and pure
// functions; facts from tailscale 1.98 (`client/tailscale/apitype`, `tailcfg`).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/json.h"

namespace leger {

// The answer to "whose connection is this?".
struct WhoIs {
  std::int64_t user_id = 0;  // the identity; login names can be given to somebody else
  std::string login_name;    // for display
  std::string display_name;
  std::int64_t node_id = 0;
  std::string stable_id;
  std::string node_name;  // MagicDNS name without its final dot
  std::string hostname;   // the first label of it, or what the node calls itself
  std::vector<std::string> tags;
  bool is_shared_in = false;  // of another tailnet: shared into this one, or of somebody this host is shared with
  bool is_expired = false;
  bool is_authorized = false;
  std::vector<std::string> roles;  // of the app capability leger.run/cap/legerd
};

// This node and its user. A node that is not running has only its state, and perhaps what it was last.
struct NodeStatus {
  std::string backend_state;  // `Running`, `NeedsLogin`, `Stopped`, …
  std::string stable_id;
  std::int64_t user_id = 0;  // 0 where nobody is signed in
  std::string login_name;    // empty where tailscaled does not say it, see read_status()
  std::string display_name;
  std::string hostname;
  std::string dns_name;  // MagicDNS name without its final dot; empty where there is none
  std::string tailnet;
  std::vector<std::string> ips;  // in the usual form; one at least where the node is running
  std::vector<std::string> tags;
  std::vector<std::string> cert_domains;
  bool is_userspace = false;  // without a network device: what it carries here comes from 127.0.0.1
  bool is_running() const { return backend_state == "Running"; }
};

// Reads `/localapi/v0/whois`; `now` in seconds since 1970 judges the key's expiry. unavailable where a field that
// identity stands on is missing or of another type.
Result<WhoIs> read_whois(const Json& reply, std::int64_t now);

// Reads `/localapi/v0/status`; unavailable as above. tailscaled 1.98 leaves `User` out where peers were not asked
// for (tailscale/tailscale#19894, mended later): login_name and display_name are empty then.
Result<NodeStatus> read_status(const Json& reply);

// Whether a person stands behind the node: tagged, shared-in, expired and unauthorized ones are refused by name
// (tailscale_verification_failed). Judged by the node, never by its login name.
Result<void> judge_node(const WhoIs& who);

// The error of an answer of tailscaled that cannot be used: unavailable, and names the field that is missing or odd.
Error garbled_answer(const std::string& field);

}  // namespace leger
