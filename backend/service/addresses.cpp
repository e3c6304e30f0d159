#include "backend/service/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <format>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace leger {
namespace {

constexpr std::uint16_t kAnyPort = 9;  // a datagram's way is the same for all

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<Address> parse(const std::string& ip) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    address.size = sizeof v4;
    return address;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (inet_pton(AF_INET6, ip.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  v6.sin6_family = AF_INET6;
  address.size = sizeof v6;
  return address;
}

std::optional<std::uint32_t> v4_number(const Address& address) {
  if (address.storage.ss_family != AF_INET) return std::nullopt;
  return ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr);
}

const in6_addr& v6_of(const Address& address) {
  return reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
}

void set_port(Address& address, std::uint16_t port) {
  if (address.storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address.storage).sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = htons(port);
  }
}

bool same_ip(const Address& a, const Address& b) {
  if (a.storage.ss_family != b.storage.ss_family) return false;
  if (const auto number = v4_number(a)) return number == v4_number(b);
  return std::memcmp(&v6_of(a), &v6_of(b), sizeof(in6_addr)) == 0;
}

// The words of an address as the kernel's lists have them: each 32 bits in the machine's own order.
std::string in_hex(const void* bytes, std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, static_cast<const char*>(bytes) + i * sizeof word, sizeof word);
    text += std::format("{:08X}", word);
  }
  return text;
}

// `ADDRESS:PORT` as /proc/net/tcp has it; empty for an address that is not IPv4.
std::string four_end(const std::string& ip, std::uint16_t port) {
  in_addr address{};
  if (inet_pton(AF_INET, ip.c_str(), &address) != 1) return {};
  return std::format("{}:{:04X}", in_hex(&address, 1), port);
}

// The same of /proc/net/tcp6, an IPv4 address mapped.
std::string six_end(const std::string& ip, std::uint16_t port) {
  const std::string text = ip.contains(':') ? ip : "::ffff:" + ip;
  in6_addr address{};
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return {};
  return std::format("{}:{:04X}", in_hex(&address, 4), port);
}

// How many connections of a list (proc_net_tcp: number, local end, other end, state) have this local end; nothing where
// it cannot be read. Those that listen or only wait for late packets are none.
std::optional<std::size_t> connections_from(const char* list, const std::string& end) {
  std::ifstream file(list);
  if (!file) return std::nullopt;
  std::size_t count = 0;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string other;
    std::string state;
    fields >> number >> local >> other >> state;
    constexpr std::string_view kListens = "0A";
    constexpr std::string_view kLingers = "06";
    if (local == end && state != kListens && state != kLingers) ++count;
  }
  if (file.bad()) return std::nullopt;
  return count;
}

}  // namespace

bool is_loopback(const std::string& ip) {
  const auto address = parse(ip);
  if (!address) return false;
  if (const auto number = v4_number(*address)) return *number >> 24 == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6_of(*address));
}

bool is_link_local(const std::string& ip) {
  const auto address = parse(ip);
  if (!address) return false;
  if (const auto number = v4_number(*address)) return *number >> 16 == (169U << 8 | 254U);
  return IN6_IS_ADDR_LINKLOCAL(&v6_of(*address));
}

Owner owner_of_address(const std::string& ip) {
  if (is_loopback(ip)) return Owner::this_machine;
  auto address = parse(ip);
  if (!address) return Owner::another;
  const int probe = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  // EAFNOSUPPORT is a machine without IPv6, EINVAL a link-local address without its link, ENETUNREACH one without a
  // way.
  if (probe < 0) return errno == EAFNOSUPPORT ? Owner::another : Owner::unknown;
  set_port(*address, kAnyPort);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address->storage);
  const bool is_routed = connect(probe, generic, address->size) == 0;  // sends nothing
  const int why = errno;
  Address source;
  source.size = sizeof source.storage;
  const bool is_known = getsockname(probe, reinterpret_cast<sockaddr*>(&source.storage), &source.size) == 0;
  close(probe);
  if (!is_routed) return why == ENETUNREACH || why == EINVAL || why == EHOSTUNREACH ? Owner::another : Owner::unknown;
  if (!is_known) return Owner::unknown;
  return same_ip(*address, source) ? Owner::this_machine : Owner::another;
}

bool is_sole_connection(const std::string& ip, std::uint16_t port) {
  const std::string four = four_end(ip, port);
  const auto in_v4 = four.empty() ? std::size_t{0} : connections_from("/proc/self/net/tcp", four);
  // A socket of IPv6 can hold an IPv4 address, mapped; a machine without IPv6 has no such list.
  const bool has_v6 = access("/proc/self/net/tcp6", F_OK) == 0;
  const auto in_v6 = has_v6 ? connections_from("/proc/self/net/tcp6", six_end(ip, port)) : std::size_t{0};
  return in_v4 && in_v6 && *in_v4 + *in_v6 == 1;
}

}  // namespace leger
