#include "daemon/origin_rules.h"

#include <algorithm>
#include <optional>

#include "backend/base/text.h"
#include "backend/service/addresses.h"

namespace leger {
namespace {

struct HostPort {
  std::string_view name;  // an IPv6 address without its brackets
  std::uint64_t port = 0;
};

std::uint64_t default_port(const Peer& peer) { return peer.is_tls ? 443 : 80; }

// `name`, `name:port`, `[address]` or `[address]:port`; nothing for other forms.
std::optional<HostPort> parse_host(std::string_view host, const Peer& peer) {
  HostPort parsed{.port = default_port(peer)};
  std::string_view rest;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parsed.name = host.substr(1, end - 1);
    rest = host.substr(end + 1);
  } else {
    const std::size_t colon = host.find(':');
    parsed.name = host.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : host.substr(colon);
  }
  if (parsed.name.empty()) return std::nullopt;
  if (rest.empty()) return parsed;
  const auto port = parse_number(rest.substr(1));
  if (rest.front() != ':' || rest.size() > 6 || !port) return std::nullopt;
  parsed.port = *port;
  return parsed;
}

bool is_name_of(const NodeStatus& node, std::string_view name) {
  const std::string_view dns = node.dns_name;
  if (!dns.empty() && (equal_ignoring_case(name, dns) || equal_ignoring_case(name, dns.substr(0, dns.find('.'))))) {
    return true;
  }
  return std::ranges::any_of(node.ips, [name](const std::string& ip) { return equal_ignoring_case(name, ip); });
}

bool is_own_name(std::string_view name, std::uint64_t port, const Peer& peer, const NodeStatus* node) {
  if (port != peer.local_port) return false;
  if (equal_ignoring_case(name, peer.local_ip)) return true;
  if (equal_ignoring_case(name, "localhost")) return is_loopback(peer.local_ip);
  return node != nullptr && is_name_of(*node, name);
}

bool is_listed(const HostPort& host, const Peer& peer, const std::vector<std::string>& hosts) {
  return std::ranges::any_of(hosts, [&](const std::string& own) {
    if (equal_ignoring_case(own, host.name)) return host.port == peer.local_port;
    const auto with_port = parse_host(own, peer);
    return with_port && equal_ignoring_case(with_port->name, host.name) && with_port->port == host.port;
  });
}

}  // namespace

Result<void> check_host(std::string_view host, const Peer& peer, const NodeStatus* node,
                        const std::vector<std::string>& hosts) {
  if (peer.is_unix) return {};
  const auto parsed = parse_host(host, peer);
  if (parsed && (is_own_name(parsed->name, parsed->port, peer, node) || is_listed(*parsed, peer, hosts))) return {};
  return Fail({Code::unknown_host,
               "This host is not known here by the name \"" + escape_controls(host.substr(0, 255)) + "\".",
               "Use its Tailscale name or address and the port that legerd listens on, or add the name in legerd.toml: "
               "hosts = [\"NAME\"] or [\"NAME:PORT\"]",
               {}});
}

Result<void> check_origin(const Head& head, const Peer& peer) {
  bool same = true;
  for (const Header& field : head.headers) {
    if (!equal_ignoring_case(field.name, "origin")) continue;
    const std::string own = std::string(peer.is_tls ? "https://" : "http://").append(head.header("host").value_or(""));
    same = same && equal_ignoring_case(field.value, own);
  }
  const bool is_safe = head.method == Method::get || head.method == Method::head || head.method == Method::options;
  for (const Header& field : head.headers) {
    if (is_safe || !equal_ignoring_case(field.name, "sec-fetch-site")) continue;
    same = same && (field.value == "same-origin" || field.value == "none");
  }
  if (same) return {};
  return Fail({Code::forbidden_origin, "Pages of other origins may not call legerd.", {}, {}});
}

}  // namespace leger
