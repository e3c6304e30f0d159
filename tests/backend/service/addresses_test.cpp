#include "backend/service/addresses.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace leger::test {
namespace {

// The addresses of this machine's interfaces, as another part of the system tells them. Link-local ones, which need a
// scope, are left out.
std::vector<std::string> interface_addresses() {
  ifaddrs* list = nullptr;
  REQUIRE(getifaddrs(&list) == 0);
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owned(list, freeifaddrs);
  std::vector<std::string> found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (entry->ifa_addr->sa_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text.data(), text.size());
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr, text.data(), text.size());
    } else {
      continue;
    }
    if (!is_link_local(text.data())) found.emplace_back(text.data());
  }
  return found;
}

// A socket that is closed with the object.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) { REQUIRE(fd_ >= 0); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct LoopbackEnd {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

LoopbackEnd loopback_end(int family, std::uint16_t port) {
  LoopbackEnd end;
  if (family == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(end.storage);
    v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    end.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(end.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    end.size = sizeof v6;
  }
  return end;
}

sockaddr_in6 mapped_loopback(std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  REQUIRE(inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr) == 1);
  return address;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                            : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

Socket listening(int family) {
  Socket door(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const LoopbackEnd end = loopback_end(family, 0);
  REQUIRE(bind(door.fd(), reinterpret_cast<const sockaddr*>(&end.storage), end.size) == 0);
  REQUIRE(listen(door.fd(), 4) == 0);
  return door;
}

// From a port of its own choice, or from one that may be in use towards another door.
Socket connected_from(int family, std::uint16_t port, const Socket& door) {
  Socket client(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(client.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const LoopbackEnd from = loopback_end(family, port);
  REQUIRE(bind(client.fd(), reinterpret_cast<const sockaddr*>(&from.storage), from.size) == 0);
  const LoopbackEnd to = loopback_end(family, port_of(door.fd()));
  REQUIRE(connect(client.fd(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0);
  return client;
}

}  // namespace

TEST_CASE("loopback is told from everything else") {
  for (const char* ip : {"127.0.0.1", "127.255.255.254", "::1"}) CHECK(is_loopback(ip));
  for (const char* ip :
       {"128.0.0.1", "126.255.255.255", "::2", "fd7a:115c:a1e0::1", "", "localhost", "127.1", "[::1]"}) {
    CAPTURE(ip);
    CHECK_FALSE(is_loopback(ip));
  }
}

TEST_CASE("link-local addresses are told from everything else") {
  for (const char* ip : {"169.254.0.1", "169.254.255.255", "fe80::1", "febf::1"}) CHECK(is_link_local(ip));
  for (const char* ip : {"169.253.0.1", "169.255.0.1", "fec0::1", "fd7a:115c:a1e0::1", "100.64.0.1", "", "x"}) {
    CAPTURE(ip);
    CHECK_FALSE(is_link_local(ip));
  }
}

TEST_CASE("every address of this machine's interfaces is its own") {
  const auto own = interface_addresses();
  CHECK_FALSE(own.empty());
  for (const std::string& ip : own) {
    CAPTURE(ip);
    CHECK(owner_of_address(ip) == Owner::this_machine);
  }
}

TEST_CASE("addresses of others are not") {
  // Of documentation (RFC 5737, RFC 3849), which nobody has, and texts that are none.
  for (const char* ip : {"192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "", "nonsense", "1.2.3"}) {
    CAPTURE(ip);
    CHECK(owner_of_address(ip) == Owner::another);
  }
}

TEST_CASE("the unspecified address and link-local ones are nobody's own") {
  for (const char* ip : {"fe80::1", "169.254.3.4"}) {
    CAPTURE(ip);
    CHECK(owner_of_address(ip) != Owner::this_machine);
  }
}

TEST_CASE("a port with two connections is told from one with a single one") {
  for (const int family : {AF_INET, AF_INET6}) {
    const Socket first_door = listening(family);
    const Socket second_door = listening(family);
    const Socket first = connected_from(family, 0, first_door);
    const std::uint16_t port = port_of(first.fd());
    const std::string ip = family == AF_INET ? "127.0.0.1" : "::1";
    CHECK(is_sole_connection(ip, port));
    CHECK_FALSE(is_sole_connection(ip, port == 65535 ? 1 : static_cast<std::uint16_t>(port + 1)));  // nobody there
    const Socket second = connected_from(family, port, second_door);
    CHECK(port_of(second.fd()) == port);
    CHECK_FALSE(is_sole_connection(ip, port));
  }
}

TEST_CASE("a socket of IPv6 that holds an IPv4 address counts as well") {
  const Socket door = listening(AF_INET);
  const Socket other = listening(AF_INET);
  const Socket first = connected_from(AF_INET, 0, door);
  const std::uint16_t port = port_of(first.fd());
  const Socket mapped(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(mapped.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in6 from = mapped_loopback(port);
  const sockaddr_in6 to = mapped_loopback(port_of(other.fd()));
  REQUIRE(bind(mapped.fd(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0);
  REQUIRE(connect(mapped.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  CHECK_FALSE(is_sole_connection("127.0.0.1", port));
}

TEST_CASE("what is no address has no connection") {
  CHECK_FALSE(is_sole_connection("", 80));
  CHECK_FALSE(is_sole_connection("nonsense", 80));
}

}  // namespace leger::test
