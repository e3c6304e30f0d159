#include "backend/service/accounts.h"

#include <utility>

#include "backend/crypto/seal.h"

namespace leger {

Task<Result<User>> Accounts::ensure_owner(std::string login, std::string host) {
  auto known = users_.owner();
  if (!known) co_return Fail(known.error());
  if (*known) co_return std::move(**known);
  const std::string id = "local:" + login + "@" + host;
  const std::string now = rfc3339(clock_.wall_seconds());
  User owner{.user_uuid = name_uuid(id),
             .tailscale_user_id = id,
             .tailscale_email = login + "@" + host,
             .tailnet = host,
             .display_name = login,
             .created_at = now,
             .last_seen = now};
  auto added = co_await users_.add_owner(owner);
  if (!added) co_return Fail(added.error());
  co_return owner;
}

}  // namespace leger
