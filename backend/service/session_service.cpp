#include "backend/service/session_service.h"

#include <utility>

#include "backend/crypto/seal.h"
#include "backend/crypto/token.h"

namespace leger {
namespace {

Error no_such_session() {
  return {Code::not_found, "There is no such session.", "List your sessions, and name one of those.", {}};
}

}  // namespace

SessionService::SessionService(Sessions& sessions, const Vault& vault, SessionClock& clock, const AuditLog& audit)
    : sessions_(sessions), vault_(vault), clock_(clock), audit_(audit) {}

std::int64_t SessionService::now() const { return clock_.now(); }

Task<Result<IssuedToken>> SessionService::issue(Actor actor, User user, std::string binding, std::string hostname,
                                                std::string client) {
  const std::int64_t issued_at = clock_.now();
  const std::int64_t expires_at = issued_at + kSessionSeconds;
  Session session{.id = random_uuid(),
                  .user_uuid = user.user_uuid,
                  .binding = std::move(binding),
                  .hostname = std::move(hostname),
                  .client = std::move(client),
                  .created_at = rfc3339(issued_at),
                  .expires_at = rfc3339(expires_at)};
  const TokenClaims claims{.user_uuid = std::move(user.user_uuid),
                           .tailscale_user_id = std::move(user.tailscale_user_id),
                           .email = std::move(user.tailscale_email),
                           .tailnet = std::move(user.tailnet),
                           .session_id = session.id,
                           .issued_at = issued_at,
                           .expires_at = expires_at};
  const std::uint32_t key_id = vault_.token_key_id();
  auto token = sign_token(claims, *vault_.token_key(key_id), key_id);
  if (!token) co_return Fail(token.error());
  actor.user_uuid = session.user_uuid;
  const auto added = co_await sessions_.add(session, kMostSessions, audit_.record(actor, "session.begin", session.id));
  if (!added) co_return Fail(added.error());
  ++generation_;  // the oldest of the user's may have fallen out
  co_return IssuedToken{.token = Secret(*std::move(token)), .session = std::move(session)};
}

Result<LiveSession> SessionService::check(std::string_view token) {
  auto claims = read_token(token, [this](std::uint32_t key_id) { return vault_.token_key(key_id); }, clock_.now());
  if (!claims) return Fail(claims.error());
  auto session = sessions_.find(claims->session_id);
  if (!session) return Fail(session.error());
  // The row is the token's own: same account, same end. Its expiry is judged with the token's.
  if (!*session || (*session)->user_uuid != claims->user_uuid ||
      (*session)->expires_at != rfc3339(claims->expires_at)) {
    return Fail({Code::invalid_token,
                 "This token is not valid here: its session has ended.",
                 "Sign in again: leger auth login",
                 {}});
  }
  return LiveSession{.id = std::move(claims->session_id),
                     .user_uuid = std::move(claims->user_uuid),
                     .binding = std::move((*session)->binding),
                     .expires_at = claims->expires_at};
}

Result<Session> SessionService::find(const std::string& user_uuid, const std::string& session_id) {
  auto session = sessions_.find(session_id);
  if (!session) return Fail(session.error());
  if (!*session || (*session)->user_uuid != user_uuid) return Fail(no_such_session());
  return std::move(**session);
}

Result<std::vector<Session>> SessionService::list(const std::string& user_uuid) {
  return sessions_.list(user_uuid, rfc3339(clock_.now()));
}

Task<Result<void>> SessionService::revoke(Actor actor, std::string session_id) {
  AuditRecord audit = audit_.record(actor, "session.end", session_id);
  const auto removed = co_await sessions_.remove(actor.user_uuid, std::move(session_id), std::move(audit));
  if (!removed) co_return Fail(removed.error());
  if (!*removed) co_return Fail(no_such_session());
  ++generation_;
  co_return Result<void>();
}

}  // namespace leger
