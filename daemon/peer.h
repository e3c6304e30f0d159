#pragma once

// Who is at the other end of a connection, as the kernel says. Nothing a client sends is looked at here.

#include <cstdint>
#include <string>

namespace leger {

struct Peer {
  bool is_unix = false;
  bool is_own_account = false;  // Unix socket: our own uid, and not from inside a container
  // Of a TCP connection, as the kernel says; addresses in text, IPv4 ones mapped into IPv6 as IPv4.
  bool is_tls = false;
  std::string ip;
  std::uint16_t port = 0;
  std::string local_ip;
  std::uint16_t local_port = 0;
};

// For a connected TCP socket: both of its ends.
Peer tcp_peer(int fd);

// For a connected Unix stream socket: SO_PEERCRED's uid is ours, and the process is in no container of Podman's
// (threats, fact 3: a container that has the socket mounted has our uid too, but its cgroup tells).
Peer unix_peer(int fd);

// Whether the text of /proc/PID/cgroup names a container's scope (`libpod-…`). Pure.
bool names_container(const std::string& cgroup_text);

}  // namespace leger
