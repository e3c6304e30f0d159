#pragma once

// Who is at the other end of a connection, as the kernel says. Nothing a client sends is looked at here.

#include <uv.h>

#include <string>

namespace leger {

struct Peer {
  bool is_unix = false;
  bool is_own_account = false;  // Unix socket: our own uid, and not from inside a container
};

// For a connected Unix stream socket: SO_PEERCRED's uid is ours, and the process is in no container of Podman's
// (threats, fact 3: a container that has the socket mounted has our uid too, but its cgroup tells).
Peer unix_peer(int fd);

// Whether the text of /proc/PID/cgroup names a container's scope (`libpod-…`). Pure.
bool names_container(const std::string& cgroup_text);

}  // namespace leger
