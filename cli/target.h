#pragma once

// Which legerd a run of leger talks to: chosen once, from flags, environment and the default socket. Never sends a
// request; it resolves the host of a plain http:// address, since that is allowed on this machine and the tailnet only.

#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "cli/io.h"

namespace leger {

struct Target {
  std::string unix_socket;  // path; empty: TCP
  std::string url;          // scheme://host[:port][/prefix], no slash at the end; with a socket the host is only a name

  // As people know it: the path or the URL.
  const std::string& shown() const { return unix_socket.empty() ? url : unix_socket; }
};

struct ServerFlags {
  std::optional<std::string> server;  // of --server
  std::optional<std::string> socket;  // of --socket
};

// `--server` or `--socket`, else LEGER_API_URL, else $XDG_RUNTIME_DIR/leger/legerd.sock where it exists. The error is
// invalid_request where what the user wrote is wrong, unavailable where nothing is known or the host does not resolve,
// insufficient_permissions for plain http:// to a stranger.
Result<Target> choose_target(const ServerFlags& flags, const Io& io);

// `http(s)://HOST[:PORT][/PREFIX]` or `unix:PATH`; a trailing `/api` is dropped. `origin` names the flag or variable in
// messages.
Result<Target> parse_target(const std::string& text, const std::string& origin);

// Loopback or of the tailnet: 127.0.0.0/8, ::1, 100.64.0.0/10, fd7a:115c:a1e0::/48, and those mapped into IPv6.
bool may_be_plain(const in_addr& address);
bool may_be_plain(const in6_addr& address);

// Whether a host with these addresses, as text, may be talked to without TLS: every one must be.
Result<void> check_plain_addresses(const std::string& host, const std::vector<std::string>& addresses);

}  // namespace leger
