#include "backend/tailscale/node.h"

#include <algorithm>
#include <optional>

#include "backend/base/clock.h"
#include "backend/base/text.h"
#include "backend/tailscale/fields.h"
#include "backend/tailscale/ip.h"

namespace leger {
namespace {

constexpr const char* kCapability = "leger.run/cap/legerd";
constexpr std::size_t kMostShown = 200;

// Go's zero time, which tailcfg.Node.KeyExpiry has where the key does not expire.
constexpr std::int64_t kNever = -62'135'596'800;

std::string without_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

std::string first_label(const std::string& name) { return name.substr(0, name.find('.')); }

// The roles that the tailnet's grants give the caller. What is not `[{"roles":["…"]}]` was written by hand in the
// policy and gives nothing, nor does it keep anybody out.
std::vector<std::string> roles_in(const Json& reply) {
  std::vector<std::string> roles;
  const auto capabilities = reply.find("CapMap");
  if (capabilities == reply.end() || !capabilities->is_object()) return roles;
  const auto grants = capabilities->find(kCapability);
  if (grants == capabilities->end() || !grants->is_array()) return roles;
  for (const Json& grant : *grants) {
    std::string problem;
    Fields fields(grant, "", problem);
    const std::vector<std::string> granted = fields.texts("roles");
    for (const std::string& role : granted) {
      if (std::ranges::find(roles, role) == roles.end()) roles.push_back(role);
    }
  }
  return roles;
}

bool is_expired(Fields& node, std::int64_t now) {
  const bool is_marked = node.flag("Expired");
  if (!node.has("KeyExpiry")) return is_marked;
  const auto expiry = parse_rfc3339(node.text("KeyExpiry"));
  if (!expiry) node.odd("KeyExpiry");
  return is_marked || (expiry && *expiry != kNever && *expiry <= now);
}

// How a refusal calls the node.
std::string shown(const WhoIs& who) {
  const std::string& name = !who.node_name.empty() ? who.node_name : who.stable_id;
  return escape_controls(std::string_view(name).substr(0, kMostShown));
}

std::string shown(const std::vector<std::string>& tags) {
  std::string list;
  for (const std::string& tag : tags) list += (list.empty() ? "" : ", ") + tag;
  return escape_controls(std::string_view(list).substr(0, kMostShown));
}

Fail refused(std::string message, std::string action) {
  return Fail({Code::tailscale_verification_failed, std::move(message), std::move(action), {}});
}

// The user of this node, where tailscaled says who that is.
void read_user(Fields& top, NodeStatus& status) {
  const std::string key = std::to_string(status.user_id);
  Fields users = top.object_if_there("User");
  if (!users.has(key.c_str())) return;
  Fields user = users.object(key.c_str());
  if (user.number("ID") != status.user_id) user.odd("ID");
  status.login_name = user.text("LoginName");
  status.display_name = user.text_if_there("DisplayName");
}

// legerd tells its own addresses from others by this list: a running node that names none, or something else than an
// address, must not pass for one that has none.
void read_addresses(Fields& self, NodeStatus& status) {
  for (const std::string& text : self.texts("TailscaleIPs")) {
    const auto ip = canonical_ip(text);
    if (!ip) self.odd("TailscaleIPs");
    status.ips.push_back(ip.value_or(""));
  }
  if (status.is_running() && status.ips.empty()) self.odd("TailscaleIPs");
}

}  // namespace

Error garbled_answer(const std::string& field) {
  return {Code::unavailable,
          "tailscaled's answer cannot be understood: " + field + " is missing or not as it should be.",
          "Check that tailscaled is 1.98 or later:\n  tailscale version",
          {}};
}

Result<WhoIs> read_whois(const Json& reply, std::int64_t now) {
  std::string problem;
  Fields top(reply, "", problem);
  Fields node = top.object("Node");
  Fields user = top.object("UserProfile");
  Fields host = node.object_if_there("Hostinfo");
  WhoIs who;
  who.user_id = user.positive("ID");
  who.login_name = user.text("LoginName");
  who.display_name = user.text_if_there("DisplayName");
  who.node_id = node.positive("ID");
  who.stable_id = node.id("StableID");
  who.node_name = without_dot(node.text_if_there("Name"));
  who.hostname = host.text_if_there("Hostname");
  if (!who.node_name.empty()) who.hostname = first_label(who.node_name);
  who.tags = node.texts("Tags");
  // A node of another tailnet is here because somebody shared it in (Sharer), or because this host was shared with its
  // user (Hostinfo.ShareeNode); of the two it is the second that can open connections to us.
  const bool is_sharee = host.flag("ShareeNode");
  who.is_shared_in = node.number_if_there("Sharer") != 0 || is_sharee;
  who.is_expired = is_expired(node, now);
  // `omitempty` in tailcfg.Node: absent is false. Tailscale's control server and its test server, and Headscale, send
  // true with every approved node (seen in 1.98's whois answers), so absence is a node that waits for approval.
  who.is_authorized = node.flag("MachineAuthorized");
  // A tagged node's profile is that of all tagged devices.
  const std::int64_t owner = node.positive("User");
  if (who.tags.empty() && owner != who.user_id) node.odd("User");
  if (!problem.empty()) return Fail(garbled_answer(problem));
  who.roles = roles_in(reply);
  return who;
}

Result<NodeStatus> read_status(const Json& reply) {
  std::string problem;
  Fields top(reply, "", problem);
  NodeStatus status;
  status.backend_state = top.id("BackendState");
  Fields self = status.is_running() ? top.object("Self") : top.object_if_there("Self");
  status.stable_id = self.text_if_there("ID");
  status.user_id = self.number_if_there("UserID");
  status.hostname = self.text_if_there("HostName");
  status.dns_name = without_dot(self.text_if_there("DNSName"));
  status.tags = self.texts("Tags");
  read_addresses(self, status);
  status.tailnet = top.object_if_there("CurrentTailnet").text_if_there("Name");
  status.cert_domains = top.texts("CertDomains");
  status.is_userspace = top.has("TUN") && !top.flag("TUN");
  read_user(top, status);
  if (status.is_running() && status.stable_id.empty()) self.odd("ID");
  if (status.is_running() && status.tags.empty() && status.user_id == 0) self.odd("UserID");
  if (!problem.empty()) return Fail(garbled_answer(problem));
  return status;
}

Result<void> judge_node(const WhoIs& who) {
  if (!who.tags.empty()) {
    return refused(shown(who) + " is a tagged device (" + shown(who.tags) + "); legerd serves people.",
                   "Sign in from a device of a user.");
  }
  if (who.is_shared_in) {
    return refused(shown(who) + " is a device of another tailnet; legerd serves members of its own.",
                   "Sign in from a device of this tailnet.");
  }
  if (!who.is_authorized) {
    return refused(shown(who) + " is not approved in this tailnet.",
                   "Ask an administrator to approve it: https://login.tailscale.com/admin/machines");
  }
  if (who.is_expired) {
    return refused("The key of " + shown(who) + " has expired.",
                   "Sign that device in again:\n  sudo tailscale up --force-reauth");
  }
  return {};
}

}  // namespace leger
