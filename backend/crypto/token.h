#pragma once

// Session tokens: JWT (RFC 7519, RFC 7515 compact form) with HS256 and nothing else. The algorithm is ours, never the
// token's; the key id is looked up among our own keys. Pure; any thread.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/crypto/key.h"

namespace leger {

inline constexpr std::size_t kMaxTokenBytes = 4096;

struct TokenClaims {
  std::string user_uuid;          // sub
  std::string tailscale_user_id;  // decimal text, or what stands in the account until it is known
  std::string email;
  std::string tailnet;
  std::string session_id;       // jti
  std::int64_t issued_at = 0;   // iat, seconds since 1970
  std::int64_t expires_at = 0;  // exp
};

// The key of an id; null for one that is not ours.
using TokenKeys = std::function<const Key*(std::uint32_t key_id)>;

// `iss` and `aud` are ours; `kid` is `key_id` in decimal.
Result<std::string> sign_token(const TokenClaims& claims, const Key& key, std::uint32_t key_id);

// The claims of a token that we signed and that has not expired at `now`; a `leg_` prefix is accepted. invalid_token
// for anything else, without saying more than "expired" or "not valid".
Result<TokenClaims> read_token(std::string_view token, const TokenKeys& keys, std::int64_t now);

}  // namespace leger
