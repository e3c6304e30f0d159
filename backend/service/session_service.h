#pragma once

// Sessions and their tokens: issued against an identity that somebody else has proven, checked at every request, ended
// at once. Knows nothing of connections. Loop thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/audit_log.h"
#include "backend/service/session_clock.h"
#include "backend/service/vault.h"
#include "backend/store/sessions.h"
#include "backend/store/users.h"

namespace leger {

inline constexpr std::int64_t kSessionSeconds = 30 * 24 * 3600;
inline constexpr std::uint32_t kMostSessions = 1000;  // of one user; the oldest falls out

struct IssuedToken {
  Secret token;
  Session session;
};

// A token that is good: its session, and what of the account it names.
struct LiveSession {
  std::string id;
  std::string user_uuid;
  std::string binding;
  std::int64_t expires_at = 0;  // seconds since 1970
};

class SessionService {
 public:
  // All outlive this.
  SessionService(Sessions& sessions, const Vault& vault, SessionClock& clock, const AuditLog& audit);

  // A new session of `user`; `binding`, `hostname` and `client` as in Session; on record as asked for by `actor`, whose
  // user need not be known yet.
  Task<Result<IssuedToken>> issue(Actor actor, User user, std::string binding, std::string hostname,
                                  std::string client);

  // The session behind a token; invalid_token (with an action that says how to sign in again) for one that is not ours,
  // expired or ended.
  Result<LiveSession> check(std::string_view token);

  // Changes whenever a session has ended before its time: what check() said under another generation is to be asked
  // again. What it said under this one holds until the session's expires_at, against now().
  std::uint64_t generation() const { return generation_; }
  std::int64_t now() const;

  // A session of the user's; not_found where there is none of that id.
  Result<Session> find(const std::string& user_uuid, const std::string& session_id);
  Result<std::vector<Session>> list(const std::string& user_uuid);
  // Ends a session of the user's; not_found where there is none of that id.
  Task<Result<void>> revoke(Actor actor, std::string session_id);

 private:
  Sessions& sessions_;
  const Vault& vault_;
  SessionClock& clock_;
  const AuditLog& audit_;
  std::uint64_t generation_ = 0;
};

}  // namespace leger
