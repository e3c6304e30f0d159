#include "daemon/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

namespace leger {

namespace {

struct Endpoint {
  std::string ip;
  std::uint16_t port = 0;
};

Endpoint endpoint_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4.sin_port)};
  }
  if (address.ss_family != AF_INET6) return {};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  }
  return {text.data(), ntohs(v6.sin6_port)};
}

// Of the process at the other end: what was read by its number is its own only if it has not ended meanwhile. Kernels
// before 6.5 cannot say.
bool still_runs(int fd) {
  constexpr int kPeerPidFd = 77;  // SO_PEERPIDFD of <asm-generic/socket.h>, newer than Debian 12's headers
  int process = -1;
  socklen_t size = sizeof process;
  if (getsockopt(fd, SOL_SOCKET, kPeerPidFd, &process, &size) != 0) return errno == ENOPROTOOPT;
  pollfd ended{.fd = process, .events = POLLIN, .revents = 0};
  const bool has_ended = poll(&ended, 1, 0) != 0;
  close(process);
  return !has_ended;
}

}  // namespace

Peer tcp_peer(int fd) {
  Peer peer;
  sockaddr_storage address{};
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (getpeername(fd, generic, &size) != 0) return peer;
  Endpoint remote = endpoint_of(address);
  size = sizeof address;
  if (getsockname(fd, generic, &size) != 0) return peer;
  Endpoint local = endpoint_of(address);
  peer.ip = std::move(remote.ip);
  peer.port = remote.port;
  peer.local_ip = std::move(local.ip);
  peer.local_port = local.port;
  return peer;
}

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
  peer.is_own_account = !text.str().empty() && !names_container(text.str()) && still_runs(fd);
  return peer;
}

}  // namespace leger
