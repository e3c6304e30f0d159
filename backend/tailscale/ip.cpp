#include "backend/tailscale/ip.h"

#include <arpa/inet.h>

#include <array>

namespace leger {

std::optional<std::string> canonical_ip(const std::string& text) {
  // inet_pton stops at a zero byte and would not see what follows.
  if (text.find('\0') != std::string::npos) return std::nullopt;
  const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  if (inet_pton(family, text.c_str(), bytes.data()) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  inet_ntop(family, bytes.data(), canonical.data(), canonical.size());
  return canonical.data();
}

}  // namespace leger
