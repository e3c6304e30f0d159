#pragma once

// Which legerd a run of leger talks to: chosen once, from flags, environment, the default socket and the last sign-in.
// Never sends a request; it resolves the host of a plain http:// address, since that is allowed on this machine and the
// tailnet only.

#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "cli/io.h"

namespace leger {

struct Target {
  std::string unix_socket;  // path; empty: TCP
  // scheme://host[:port][/prefix] in the one way to write it: host in lower case, no usual port, no slash at the end.
  // With a socket the host is only a name.
  std::string url;

  bool is_socket() const { return !unix_socket.empty(); }
  // As people know it: the path or the URL.
  const std::string& shown() const { return is_socket() ? unix_socket : url; }
};

struct ServerFlags {
  std::optional<std::string> server;  // of --server
  std::optional<std::string> socket;  // of --socket
};

// `--server` or `--socket`, else LEGER_API_URL, else $XDG_RUNTIME_DIR/leger/legerd.sock where it exists, else the
// server last signed in to. Asks no network. The error is invalid_request where what the user wrote is wrong,
// unavailable where nothing is known, that of load_auth() where the sign-ins cannot be read.
Result<Target> find_target(const ServerFlags& flags, const Io& io);

// Whether it may be used as it is: https and a socket always, http where every address of the host is of this machine
// or the tailnet. unavailable for a host that does not resolve, insufficient_permissions for plain http:// to a
// stranger.
Result<void> check_target(const Target& target);

// `http(s)://HOST[:PORT][/PREFIX]` or `unix:PATH`; a trailing `/api` is dropped. `origin` names the flag or variable in
// messages.
Result<Target> parse_target(const std::string& text, const std::string& origin);

// Loopback or of the tailnet: 127.0.0.0/8, ::1, 100.64.0.0/10, fd7a:115c:a1e0::/48, and those mapped into IPv6.
bool may_be_plain(const in_addr& address);
bool may_be_plain(const in6_addr& address);

// Whether a host with these addresses, as text, may be talked to without TLS: every one must be.
Result<void> check_plain_addresses(const std::string& host, const std::vector<std::string>& addresses);

}  // namespace leger
