#include "daemon/peer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace leger {

bool names_container(const std::string& cgroup_text) { return cgroup_text.contains("libpod-"); }

Peer unix_peer(int fd) {
  Peer peer{.is_unix = true};
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return peer;
  if (credentials.uid != getuid() || credentials.pid <= 0) return peer;
  const std::ifstream cgroup("/proc/" + std::to_string(credentials.pid) + "/cgroup");
  std::ostringstream text;
  text << cgroup.rdbuf();
  peer.is_own_account = !text.str().empty() && !names_container(text.str());
  return peer;
}

}  // namespace leger
