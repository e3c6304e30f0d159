#pragma once

// Whether a request may come by this name and from this page: the rules against DNS rebinding and request forgery
// (threats T16, T17). Pure.

#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/tailscale/node.h"
#include "daemon/http_types.h"
#include "daemon/peer.h"

namespace leger {

// unknown_host unless Host names this machine as it can be reached on this connection: one of `hosts`, a name or an
// address of `node` (null: not known), the connection's own local address, or localhost where it is bound to loopback;
// with the connection's port, or the one that stands in `hosts` (behind a forwarder). Over the Unix socket any Host is
// fine: no browser comes that way.
Result<void> check_host(std::string_view host, const Peer& peer, const NodeStatus* node,
                        const std::vector<std::string>& hosts);

// forbidden_origin for a request that a page of another origin has made: a foreign `Origin`, or a method that changes
// something with a `Sec-Fetch-Site` other than same-origin and none.
Result<void> check_origin(const Head& head, const Peer& peer);

}  // namespace leger
