#include "daemon/guard.h"

#include <utility>

#include "backend/base/text.h"
#include "daemon/origin_rules.h"

namespace leger {
namespace {

constexpr std::uint64_t kProofFreshMs = 30'000;  // then whose connection it is, is asked again
constexpr std::uint64_t kProofLastMs = 60'000;   // so long a proof serves while nobody can be asked

Fail invalid(std::string message) {
  return Fail({Code::invalid_token, std::move(message), "Sign in again: leger auth login", {}});
}

// `Bearer TOKEN`; nothing for anything else.
std::optional<std::string_view> bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  if (!equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

}  // namespace

PeerAddress address_of(const Peer& peer) {
  return {.is_owner_socket = peer.is_unix && peer.is_own_account, .ip = peer.ip, .port = peer.port};
}

Guard::Guard(const GuardParts& parts)
    : parts_(parts),
      owner_{.user_uuid = parts.accounts.owner_uuid(), .is_operator = true, .session_id = {}, .binding = "local"} {}

RateLimits::Budget& Guard::budget(const Peer& peer, Proof& proof) const {
  if (!proof.budget) proof.budget = parts_.limits.budget_of("address " + peer.ip);
  return *proof.budget;
}

Result<void> Guard::check_request(const Head& head, const Peer& peer, Proof& proof) const {
  if (peer.is_unix) return check_origin(head, peer);
  auto known = check_host(head.header("host").value_or(""), peer, parts_.node.known(), parts_.hosts);
  if (!known) return known;
  if (auto own = check_origin(head, peer); !own) return own;
  return parts_.limits.take_request(budget(peer, proof));
}

Result<void> Guard::check_sign_in(const Peer& peer, Proof& proof) const {
  if (peer.is_unix) return {};
  return parts_.limits.take_sign_in(budget(peer, proof));
}

Result<std::optional<RateLimits::Upload>> Guard::begin_upload(const Peer& peer, Proof& proof) const {
  if (peer.is_unix) return std::nullopt;
  budget(peer, proof);
  auto begun = parts_.limits.begin_upload(proof.budget);
  if (!begun) return Fail(begun.error());
  return std::move(*begun);
}

const Caller* Guard::proven(const Head& head, const Peer& peer, const Proof& proof) const {
  if (peer.is_unix) return peer.is_own_account ? &owner_ : nullptr;
  if (proof.authorization.empty() || proof.generation != parts_.sessions.generation()) return nullptr;
  if (head.header("authorization") != proof.authorization) return nullptr;
  if (parts_.loop.timers().now_ms() - proof.at_ms >= kProofFreshMs) return nullptr;
  return parts_.sessions.now() < proof.session.expires_at ? &proof.caller : nullptr;
}

// Whether the peer is whom the session was issued to, and if so whether it is an operator.
Task<Result<bool>> Guard::prove(PeerAddress peer, LiveSession session) const {
  if (session.binding == kLocalBinding) {
    auto local = co_await parts_.identities.prove_local(std::move(peer));
    if (!local) co_return Fail(local.error());
    co_return session.user_uuid == owner_.user_uuid;
  }
  const auto identity = co_await parts_.identities.prove(std::move(peer));
  if (!identity) co_return Fail(identity.error());
  if (identity->binding == session.binding) co_return parts_.accounts.is_operator(session.user_uuid, *identity);
  co_return invalid("This token belongs to somebody else.");
}

Task<Result<Caller>> Guard::authenticate(std::string authorization, Peer peer, Proof& proof) const {
  if (peer.is_unix) {
    if (peer.is_own_account) co_return owner_;
    co_return Fail({Code::insufficient_permissions,
                    "This socket serves only the account that runs legerd, outside containers.",
                    {},
                    {}});
  }
  const auto token = bearer_of(authorization);
  if (!token) {
    co_return Fail({Code::invalid_token,
                    "This needs a sign-in.",
                    "Sign in: leger auth login. On the host itself the Unix socket needs none: run leger without "
                    "--server.",
                    {}});
  }
  auto session = parts_.sessions.check(*token);
  if (!session) co_return Fail(session.error());
  const std::uint64_t generation = parts_.sessions.generation();
  const std::uint64_t now = parts_.loop.timers().now_ms();
  const bool same_token = proof.authorization == authorization;
  auto is_operator = co_await prove(address_of(peer), *session);
  const bool away = !is_operator && is_operator.error().code == Code::unavailable;
  if (away && same_token && now - proof.at_ms < kProofLastMs) co_return proof.caller;
  if (!is_operator) {
    proof.authorization.clear();
    if (away) co_return Fail(is_operator.error());
    proof.mismatch = true;
    parts_.log.warning("a token was refused", {{"WHY", is_operator.error().message},
                                               {"SESSION", session->id},
                                               {"USER_UUID", session->user_uuid},
                                               {"PEER", peer.ip}});
    co_return invalid("This token is not valid on this connection: " + is_operator.error().message);
  }
  proof = {.authorization = std::move(authorization),
           .session = *session,
           .generation = generation,
           .at_ms = now,
           .caller = {.user_uuid = session->user_uuid,
                      .is_operator = *is_operator,
                      .session_id = session->id,
                      .binding = session->binding},
           .mismatch = false,
           .budget = parts_.limits.budget_of("user " + session->user_uuid)};
  co_return proof.caller;
}

}  // namespace leger
