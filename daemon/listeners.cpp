#include "daemon/listeners.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "backend/base/text.h"

namespace leger {
namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string host;
};

std::optional<Endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto port = parse_number(std::string_view(text).substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  Endpoint endpoint{.host = text.substr(0, colon)};
  if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']')) {
    endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(endpoint.address);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(static_cast<std::uint16_t>(*port));
    endpoint.size = sizeof v6;
    if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
    return endpoint;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(endpoint.address);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(*port));
  endpoint.size = sizeof v4;
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
  return endpoint;
}

Error exposed(const std::string& address) {
  return {Code::invalid_request,
          "Refusing to listen without TLS on " + address + ": it is neither loopback nor a tailnet address.",
          "Listen on 127.0.0.1 or on this host's Tailscale address, or configure tls (or insecure = true).",
          {}};
}

// A socket file that nobody listens on is left from a crash and may go.
Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return Fail(
        {Code::conflict, path + " exists and is not a socket.", "Move it away, or choose another --socket.", {}});
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return Fail(system_error("cannot make a socket", errno));
  // Anything but a refusal is somebody: a full queue (EAGAIN), or another account's socket (EACCES).
  const bool alive =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno != ECONNREFUSED;
  ::close(probe);
  if (alive) {
    return Fail({Code::conflict,
                 "Another process listens on " + path + ".",
                 "Is legerd running already? systemctl --user status legerd",
                 {}});
  }
  unlink(path.c_str());
  return {};
}

}  // namespace

Result<ListeningSocket> bind_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail({Code::invalid_request, "The socket path is too long: " + path, "Choose a shorter --socket.", {}});
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code problem;
  if (!folder.empty() && std::filesystem::create_directories(folder, problem)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, problem);
  }
  if (problem) return Fail(system_error("cannot make the folder " + folder.string(), problem.value()));
  auto cleared = clear_stale(path, address);
  if (!cleared) return Fail(cleared.error());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(system_error("cannot make a socket", errno));
  fchmod(fd, 0600);  // what bind gives the file, before anyone can connect
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    ::close(fd);
    return Fail(system_error("cannot listen on " + path, why));
  }
  chmod(path.c_str(), 0600);
  return ListeningSocket{.fd = fd, .is_unix = true, .address = path};
}

Result<ListeningSocket> bind_tcp(const std::string& address, bool allow_anywhere) {
  const auto endpoint = parse_endpoint(address);
  if (!endpoint) {
    return Fail({Code::invalid_request,
                 "\"" + escape_controls(address) + "\" is not an address to listen on.",
                 "Write ADDRESS:PORT, such as 127.0.0.1:8787 or [::1]:8787.",
                 {}});
  }
  if (!allow_anywhere && !is_private_address(endpoint->host)) return Fail(exposed(address));
  const int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(system_error("cannot make a socket", errno));
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &yes, sizeof yes);
  if (endpoint->address.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&endpoint->address), endpoint->size) != 0) {
    const int why = errno;
    ::close(fd);
    Error error = system_error("cannot listen on " + address, why);
    if (why == EADDRINUSE) error.action = "Stop what listens there, or choose another --listen.";
    return Fail(std::move(error));
  }
  return ListeningSocket{.fd = fd, .is_unix = false, .address = address};
}

Result<std::string> check_handed_tcp(int fd, bool allow_anywhere) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Fail(system_error("cannot ask a handed-over socket for its address", errno));
  }
  std::array<char, INET6_ADDRSTRLEN> host{};
  std::uint16_t port = 0;
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, host.data(), host.size());
    port = ntohs(v6.sin6_port);
  } else {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, host.data(), host.size());
    port = ntohs(v4.sin_port);
  }
  const std::string text = address.ss_family == AF_INET6 ? "[" + std::string(host.data()) + "]" : host.data();
  std::string whole = text + ":" + std::to_string(port);
  if (!allow_anywhere && !is_private_address(host.data())) return Fail(exposed(whole));
  return whole;
}

bool is_private_address(const std::string& address) {
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    const std::uint32_t number = ntohl(v4.s_addr);
    return number >> 24 == 127 || number >> 22 == (100U << 2 | 1);
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return false;
  constexpr std::array<unsigned char, 6> tailnet{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0};
  return IN6_IS_ADDR_LOOPBACK(&v6) || std::memcmp(v6.s6_addr, tailnet.data(), tailnet.size()) == 0;
}

}  // namespace leger
