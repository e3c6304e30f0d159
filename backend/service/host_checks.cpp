#include "backend/service/host_checks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <utility>

#include "backend/base/file_handle.h"
#include "quadlets/run_arguments.h"

namespace leger {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Nothing for what is no address, such as a name.
std::optional<SocketAddress> socket_address(const std::string& address, std::uint16_t port) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    result.size = sizeof(sockaddr_in);
    return result;
  }
  if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  result.size = sizeof(sockaddr_in6);
  return result;
}

bool is_taken(const std::string& address, std::uint16_t port, const std::string& protocol) {
  const auto where = socket_address(address, port);
  if (!where || (protocol != "tcp" && protocol != "udp")) return false;
  const bool is_tcp = protocol == "tcp";
  const FileHandle socket(
      ::socket(where->storage.ss_family, (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return false;
  const int on = 1;
  // With it a connection that is ending is in nobody's way, only one who listens is; of UDP it would let two in.
  if (is_tcp) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (where->storage.ss_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where->storage), where->size) != 0 &&
         errno == EADDRINUSE;
}

using Ports = std::set<std::pair<std::string, std::uint16_t>>;  // protocol and number

Ports ports_held(const std::optional<Generation>& live, const HostState& host) {
  Ports held;
  if (!live) return held;
  for (const AppUnit& unit : live->units) {
    const auto state = host.unit_states.find(unit.name);
    if (state != host.unit_states.end() && (state->second == "inactive" || state->second == "failed")) continue;
    for (const HostPorts& ports : published_ports(unit.text, unit.image)) {
      for (std::uint32_t port = ports.first; port <= ports.last; ++port) {
        held.emplace(ports.protocol, static_cast<std::uint16_t>(port));
      }
    }
  }
  return held;
}

}  // namespace

void find_taken_ports(const std::optional<Generation>& live, const Generation& staged, const HostState& host,
                      std::vector<Finding>& findings) {
  const Ports held = ports_held(live, host);
  for (const AppUnit& unit : staged.units) {
    std::string taken;
    for (const HostPorts& ports : published_ports(unit.text, unit.image)) {
      for (std::uint32_t number = ports.first; number <= ports.last && taken.empty(); ++number) {
        const auto port = static_cast<std::uint16_t>(number);
        if (held.contains({ports.protocol, port}) || !is_taken(ports.address, port, ports.protocol)) continue;
        taken = HostPorts{ports.address, port, port, ports.protocol}.text();
      }
    }
    if (taken.empty()) continue;
    deny(findings, "port-taken", unit.source,
         unit.source + " publishes " + taken + ", and something else on this host has that port: ss -lntup");
  }
}

Result<void> find_no_exchange(Installer& installer, const std::string& id, std::vector<Finding>& findings) {
  const auto possible = installer.check_exchange(id);
  if (possible) return {};
  if (possible.error().code != Code::unavailable) return possible;
  deny(findings, "no-exchange", "", possible.error().message + " " + possible.error().action);
  return {};
}

void note_kept_objects(const std::optional<Generation>& live, const Generation& staged, std::vector<Finding>& notes) {
  if (!live) return;
  for (const AppUnit& unit : staged.units) {
    const bool is_volume = unit.source.ends_with(".volume");
    if (!is_volume && !unit.source.ends_with(".network")) continue;
    const auto before = std::ranges::find(live->units, unit.name, &AppUnit::name);
    if (before == live->units.end() || before->text == unit.text) continue;
    const std::string kind = is_volume ? "volume" : "network";
    note(notes, kind + "-not-changed", unit.source,
         unit.source + " changed, but Podman keeps the " + kind + " that is there as it is: only a new one gets it");
  }
}

}  // namespace leger
