#pragma once

// Keys of our own, tokens signed by them, and tokens that somebody could make with such a key, for tests of tokens.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "backend/crypto/token.h"

namespace leger::test {

inline constexpr std::int64_t kNow = 1'790'000'000;
inline constexpr std::int64_t kExpiry = kNow + 3600;

inline std::string own_header() { return R"({"alg":"HS256","typ":"JWT","kid":"7"})"; }

// Our table: 7 signs, 8 did.
class OwnKeys {
 public:
  OwnKeys() {
    keys_.emplace(7, Key::from_bytes(std::string(32, '7')).value());
    keys_.emplace(8, Key::from_bytes(std::string(32, '8')).value());
  }
  const Key& at(std::uint32_t id) const { return keys_.at(id); }
  TokenKeys lookup() const {
    return [this](std::uint32_t id) {
      const auto found = keys_.find(id);
      return found == keys_.end() ? nullptr : &found->second;
    };
  }

 private:
  std::map<std::uint32_t, Key> keys_;
};

inline const OwnKeys& own_keys() {
  static const OwnKeys keys;
  return keys;
}

inline TokenClaims claims() {
  return {.user_uuid = "6ba7b810-9dad-51d1-80b4-00c04fd430c8",
          .tailscale_user_id = "123456789",
          .email = "alice@example.com",
          .tailnet = "example.ts.net",
          .session_id = "550e8400-e29b-41d4-a716-446655440000",
          .issued_at = kNow,
          .expires_at = kExpiry};
}

inline Json payload() {
  return Json::parse(base64url_decode(split(sign_token(claims(), own_keys().at(7), 7).value(), '.').at(1)).value());
}

// A token of any header and payload with a signature that is right for key 7.
inline std::string signed_token(const std::string& header, const std::string& payload_text) {
  const std::string text = base64url_encode(header) + "." + base64url_encode(payload_text);
  return text + "." + base64url_encode(hmac_sha256(own_keys().at(7).reveal(), text));
}

inline std::string good_token() { return sign_token(claims(), own_keys().at(7), 7).value(); }

inline Result<TokenClaims> read(std::string_view token) { return read_token(token, own_keys().lookup(), kNow); }

// Refused, and by an answer that does not say why.
inline bool is_refused(std::string_view token) {
  const auto answer = read(token);
  return !answer && answer.error().code == Code::invalid_token &&
         answer.error().message == "This token is not valid here." &&
         answer.error().action == "Sign in again: leger auth login" && answer.error().details.empty();
}

}  // namespace leger::test
