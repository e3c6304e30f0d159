#pragma once

// Who is asking, before anything is done for them: the checks of the contract that look at a connection and its
// headers, in the contract's order. Fails closed. Owned by the daemon; loop thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/service/accounts.h"
#include "backend/service/identities.h"
#include "backend/service/session_service.h"
#include "backend/service/this_node.h"
#include "daemon/http_types.h"
#include "daemon/peer.h"
#include "daemon/rate_limits.h"

namespace leger {

// What the guard needs; all of it outlives the guard.
struct GuardParts {
  Loop& loop;
  const Log& log;
  SessionService& sessions;
  Identities& identities;
  const Accounts& accounts;
  const ThisNode& node;
  RateLimits& limits;
  const std::vector<std::string>& hosts;
};

// What one connection has proven so far; lives as long as the connection is served.
struct Proof {
  std::string authorization;  // the header that was good last
  LiveSession session;
  std::uint64_t generation = 0;  // of the sessions, when the token was looked at
  std::uint64_t at_ms = 0;       // when the identity behind it was proven
  Caller caller;
  bool mismatch = false;                       // the last token was of another identity
  std::shared_ptr<RateLimits::Budget> budget;  // of the caller, of the address before one is known
};

class Guard {
 public:
  explicit Guard(const GuardParts& parts);

  // 421, 403 for a foreign origin, 429: what is refused whoever asks.
  Result<void> check_request(const Head& head, const Peer& peer, Proof& proof) const;
  // 429 for a sign-in too many.
  Result<void> check_sign_in(const Peer& peer, Proof& proof) const;
  // 429 for an upload too many; the upload ends with what this gives.
  Result<std::optional<RateLimits::Upload>> begin_upload(const Peer& peer, Proof& proof) const;

  // The caller, where this connection has proven it with the same header a moment ago; nothing where authenticate() is
  // to be asked. Waits for nothing, allocates nothing.
  const Caller* proven(const Head& head, const Peer& peer, const Proof& proof) const;

  // The account behind the Unix socket, or the one of a token that is used by whom it was issued to. invalid_token,
  // insufficient_permissions for another account's process or a container at the Unix socket, unavailable while nobody
  // can say whose connection this is.
  Task<Result<Caller>> authenticate(std::string authorization, Peer peer, Proof& proof) const;

 private:
  RateLimits::Budget& budget(const Peer& peer, Proof& proof) const;
  Task<Result<bool>> prove(PeerAddress peer, LiveSession session) const;

  GuardParts parts_;
  Caller owner_;
};

// The peer as the rules see it.
PeerAddress address_of(const Peer& peer);

}  // namespace leger
