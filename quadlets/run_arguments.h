#pragma once

// What the podman commands of a generated unit publish and mount, read from their arguments. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

// Ports of the host: one, or a range of them.
struct HostPorts {
  std::string address;  // as written, an IPv6 one without its brackets; 0.0.0.0 where none is
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::string protocol;  // tcp, udp, sctp

  // 127.0.0.1:8099/tcp, [::1]:8000-8010/udp
  std::string text() const;
  bool operator==(const HostPorts&) const = default;
};

// The host's ports that `--publish` names in any of the unit's commands; one that Podman chooses is not among them.
// `image` is the word that ends Podman's options, here and below; empty where none does.
std::vector<HostPorts> published_ports(std::string_view unit_text, std::string_view image);

// Podman's names of the volumes that the unit's commands mount, in order, without duplicates.
std::vector<std::string> mounted_volumes(std::string_view unit_text, std::string_view image);

// Names of Podman's secrets that the unit's commands ask for with `--secret`, however it came there, without
// duplicates.
std::vector<std::string> asked_secrets(std::string_view unit_text, std::string_view image);

// The units that `unit_text` names with one of `keys` (After=, Requires=, …) of its [Unit] section.
std::vector<std::string> named_units(std::string_view unit_text, const std::vector<std::string_view>& keys);

}  // namespace leger
