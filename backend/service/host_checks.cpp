#include "backend/service/host_checks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <format>
#include <set>
#include <utility>

#include "backend/base/file_handle.h"
#include "backend/base/text.h"
#include "quadlets/policy_units.h"
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

// Containers and pods are looked for alike.
struct Kind {
  std::string_view name;
  std::string PodmanContainer::* object;
  std::string PodmanContainer::* id;
  std::string_view way_out;  // with the name of what is there
};
constexpr Kind kContainer{"container", &PodmanContainer::name, &PodmanContainer::id,
                          "Keep it under another name: podman rename {0} NAME; or remove it: podman rm -f {0}"};
constexpr Kind kPod{"pod", &PodmanContainer::pod, &PodmanContainer::pod_id,
                    "Write another PodName= into the unit, or remove the pod: podman pod rm -f {0}"};

// What `--replace` would remove: one of exactly that name, else one whose id begins so (seen of Podman 5.4.2).
const PodmanContainer* find_replaced(const std::vector<PodmanContainer>& containers, const Kind& kind,
                                     const std::string& name) {
  const auto exact = std::ranges::find(containers, name, kind.object);
  if (exact != containers.end()) return &*exact;
  const auto begun = std::ranges::find_if(
      containers, [&](const PodmanContainer& container) { return (container.*kind.id).starts_with(name); });
  return begun == containers.end() ? nullptr : &*begun;
}

std::string replaces(const AppUnit& unit, const Kind& kind, const std::string& name, const PodmanContainer& there) {
  const std::string found = escape_controls(there.*kind.object);
  const std::string made_by = there.unit.empty() ? "" : " of " + escape_controls(there.unit);
  if (found == name) {
    return std::format("{} would replace the {} {}{}, which is not this app's, with all that is in it. {}", unit.source,
                       kind.name, found, made_by, std::vformat(kind.way_out, std::make_format_args(found)));
  }
  return std::format(
      "{0} names its {1} {2}, which Podman takes for the beginning of the id of the {1} {3}{4}: it would replace that. "
      "Write another name into the unit.",
      unit.source, kind.name, escape_controls(name), found, made_by);
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

void flag_replaced(const std::vector<PodmanContainer>& containers, const std::set<std::string>& own,
                   const Generation& staged, const PolicyPlaces& host, std::vector<Finding>& flags) {
  for (const AppUnit& unit : staged.units) {
    const PolicyNames made = names_of({expand_unit({unit.name, unit.source, unit.text}, host)});
    for (const auto& [kind, names] : {std::pair(kContainer, made.containers), std::pair(kPod, made.pods)}) {
      // Of several names Podman takes one, and a finding a unit is enough.
      for (const std::string& name : names) {
        const PodmanContainer* there = name.empty() ? nullptr : find_replaced(containers, kind, name);
        if (there == nullptr) continue;
        // A pod is whose its containers are.
        const bool is_own = std::ranges::any_of(containers, [&](const PodmanContainer& one) {
          return one.*kind.id == there->*kind.id && (own.contains(one.unit) || one.unit == unit.name);
        });
        if (is_own) continue;
        flag(flags, std::string(kind.name) + "-exists", unit.source, replaces(unit, kind, name, *there));
        break;
      }
    }
  }
}

bool is_replaced(const Finding& finding) {
  return finding.id.starts_with("container-exists:") || finding.id.starts_with("pod-exists:");
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
