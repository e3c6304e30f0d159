#pragma once

// Where legerd listens: sockets bound by itself or handed over, checked against what may be reached from where.
// Blocking calls that take no time; used once, at start.

#include <string>

#include "backend/base/error.h"

namespace leger {

struct ListeningSocket {
  int fd = -1;
  bool is_unix = false;
  std::string address;  // for people: a path, or ADDR:PORT
};

// Binds a Unix socket at `path`: its folder made 0700, itself 0600, a stale one replaced; conflict where another
// process listens on it.
Result<ListeningSocket> bind_unix(const std::string& path);

// Binds ADDR:PORT or [ADDR]:PORT, also where the address does not exist yet (IP_FREEBIND: a tailnet address at boot).
// An address that is neither loopback nor of the tailnet is refused unless `allow_anywhere`: with TLS, or insecure.
Result<ListeningSocket> bind_tcp(const std::string& address, bool allow_anywhere);

// The same rule for a TCP socket that was handed over; gives its address.
Result<std::string> check_handed_tcp(int fd, bool allow_anywhere);

// Whether an address in text (`127.0.0.1`, `::1`, `100.64.0.1`) is loopback or in the tailnet ranges 100.64.0.0/10 and
// fd7a:115c:a1e0::/48. Pure.
bool is_private_address(const std::string& address);

}  // namespace leger
