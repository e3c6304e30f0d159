#include "backend/service/sign_in.h"

#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

Fail not_you(const std::string& what) {
  return Fail({Code::tailscale_verification_failed,
               "Tailscale says that this connection is not of the " + what + " that was claimed.",
               "Check Tailscale status: tailscale status",
               {}});
}

// The control API knows no numeric user id: there the claimed one is recorded by nobody and matches nothing.
Result<void> compare(const Claims& claims, const Identity& proven) {
  const bool has_number = !proven.tailscale_user_id.starts_with("login:");
  if (has_number && claims.user_id != proven.tailscale_user_id) return not_you("user");
  const bool device_fits =
      claims.device_id.empty() || claims.device_id == proven.device_id || claims.device_id == proven.device_number;
  if (!device_fits) return not_you("device");
  if (!claims.email.empty() && !equal_ignoring_case(claims.email, proven.login_name)) return not_you("e-mail address");
  return {};
}

Fail somebody_elses(std::string action) {
  return Fail({Code::tailscale_verification_failed, "This code belongs to somebody else.", std::move(action),
               R"({"reason":"identity"})"});
}

}  // namespace

SignIns::SignIns(Identities& identities, Accounts& accounts, SessionService& sessions, const Clock& clock)
    : identities_(identities), accounts_(accounts), sessions_(sessions), codes_(clock) {}

Task<Result<SignedIn>> SignIns::by_claims(Actor actor, PeerAddress peer, Claims claims) {
  auto proven = co_await identities_.prove(std::move(peer));
  if (!proven) co_return Fail(proven.error());
  if (auto same = compare(claims, *proven); !same) co_return Fail(same.error());
  co_return co_await sign_in(std::move(actor), std::move(*proven), std::move(claims.notes), "cli");
}

Task<Result<SignedIn>> SignIns::by_browser(Actor actor, PeerAddress peer) {
  auto proven = co_await identities_.prove(std::move(peer));
  if (!proven) co_return Fail(proven.error());
  co_return co_await sign_in(std::move(actor), std::move(*proven), {}, "web");
}

Task<Result<SignedIn>> SignIns::sign_in(Actor actor, Identity identity, ClientNotes notes, std::string client) {
  std::string binding = identity.binding;
  std::string hostname = identity.hostname;
  auto user = co_await accounts_.record(std::move(identity), std::move(notes));
  if (!user) co_return Fail(user.error());
  auto issued =
      co_await sessions_.issue(std::move(actor), *user, std::move(binding), std::move(hostname), std::move(client));
  if (!issued) co_return Fail(issued.error());
  co_return SignedIn{std::move(*issued), std::move(*user)};
}

Result<std::string> SignIns::issue_code(std::string user_uuid, std::string binding, std::string challenge) {
  return codes_.issue({.user_uuid = std::move(user_uuid), .binding = std::move(binding)}, std::move(challenge));
}

// Where the peer is, if it is whom the binding names.
Task<Result<ClientNotes>> SignIns::prove_binding(PeerAddress peer, std::string binding) {
  if (binding == kLocalBinding) {
    const auto local = co_await identities_.prove_local(std::move(peer));
    if (local) co_return ClientNotes{};
    if (local.error().code != Code::tailscale_verification_failed) co_return Fail(local.error());
    co_return somebody_elses("It is good on the host itself only.");
  }
  auto proven = co_await identities_.prove(std::move(peer));
  if (!proven) co_return Fail(proven.error());
  if (proven->binding != binding) co_return somebody_elses("Begin again on your own device: leger login");
  co_return ClientNotes{.hostname = std::move(proven->hostname)};
}

Task<Result<SignedIn>> SignIns::exchange(Actor actor, PeerAddress peer, std::string code, std::string verifier,
                                         std::string client) {
  auto grant = codes_.redeem(code, verifier);
  if (!grant) co_return Fail(grant.error());
  auto notes = co_await prove_binding(std::move(peer), grant->binding);
  if (!notes) co_return Fail(notes.error());
  auto user = accounts_.find(grant->user_uuid);
  if (!user) co_return Fail(user.error());
  if (!*user) co_return somebody_elses("Begin again: leger login");
  auto issued =
      co_await sessions_.issue(std::move(actor), **user, grant->binding, std::move(notes->hostname), std::move(client));
  if (!issued) co_return Fail(issued.error());
  co_return SignedIn{std::move(*issued), std::move(**user)};
}

}  // namespace leger
