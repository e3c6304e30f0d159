#include "backend/crypto/token.h"

#include <limits>
#include <optional>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

constexpr std::string_view kAlgorithm = "HS256";
constexpr std::string_view kType = "JWT";
constexpr std::string_view kIssuer = "legerd";
constexpr std::string_view kAudience = "leger";
constexpr std::string_view kPrefix = "leg_";

// Strings of a token are bounded by the token itself.
constexpr JsonLimits kLimits{.depth = 4, .string_bytes = kMaxTokenBytes, .fields = 32};

Error refused(const char* message) { return {Code::invalid_token, message, "Sign in again: leger auth login", {}}; }
// Says nothing about what is wrong: that would help nobody but who tries tokens.
Error not_valid() { return refused("This token is not valid here."); }

struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header.payload
};

std::optional<Parts> split_token(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  if (first == last || token.find('.', first + 1) != last) return std::nullopt;
  return Parts{.header = token.substr(0, first),
               .payload = token.substr(first + 1, last - first - 1),
               .signature = token.substr(last + 1),
               .signed_text = token.substr(0, last)};
}

std::optional<Json> json_object(std::string_view encoded) {
  const auto text = base64url_decode(encoded);
  if (!text) return std::nullopt;
  auto json = parse_json(*text, kLimits);
  if (!json || !json->is_object()) return std::nullopt;
  return *std::move(json);
}

// The key that a header names. Its fields are exactly ours: whatever else a header may say (`jwk`, `jku`, `x5u`,
// `crit`) is of use to a forger alone.
const Key* key_of(std::string_view encoded_header, const TokenKeys& keys) {
  const auto header = json_object(encoded_header);
  if (!header || header->size() != 3) return nullptr;
  if (text_field(*header, "alg") != kAlgorithm || text_field(*header, "typ") != kType) return nullptr;
  const auto id = text_field(*header, "kid");
  const auto number = id ? parse_number(*id) : std::nullopt;
  if (!number || *number > std::numeric_limits<std::uint32_t>::max() || std::to_string(*number) != *id) return nullptr;
  return keys(static_cast<std::uint32_t>(*number));
}

bool is_signed_by(const Key& key, const Parts& parts) {
  const auto signature = base64url_decode(parts.signature);
  return signature && equal_in_constant_time(*signature, hmac_sha256(key.reveal(), parts.signed_text));
}

// A zero byte would end a claim early wherever it becomes a C string.
bool is_claim(std::string_view text) { return is_utf8(text) && !text.contains('\0'); }

// What makes claims ours to sign and to take; read_token() takes no others, so that both agree.
bool are_whole(const TokenClaims& claims) {
  return !claims.user_uuid.empty() && !claims.tailscale_user_id.empty() && !claims.session_id.empty() &&
         is_claim(claims.user_uuid) && is_claim(claims.tailscale_user_id) && is_claim(claims.email) &&
         is_claim(claims.tailnet) && is_claim(claims.session_id);
}

std::optional<TokenClaims> claims_of(std::string_view encoded_payload) {
  const auto payload = json_object(encoded_payload);
  if (!payload) return std::nullopt;
  if (text_field(*payload, "iss") != kIssuer || text_field(*payload, "aud") != kAudience) return std::nullopt;
  auto user = text_field(*payload, "sub");
  auto tailscale_user = text_field(*payload, "tailscale_user_id");
  auto email = text_field(*payload, "email");
  auto tailnet = text_field(*payload, "tailnet");
  auto session = text_field(*payload, "jti");
  const auto issued_at = integer_field(*payload, "iat");
  const auto expires_at = integer_field(*payload, "exp");
  if (!user || !tailscale_user || !email || !tailnet || !session || !issued_at || !expires_at) return std::nullopt;
  TokenClaims claims{.user_uuid = *std::move(user),
                     .tailscale_user_id = *std::move(tailscale_user),
                     .email = *std::move(email),
                     .tailnet = *std::move(tailnet),
                     .session_id = *std::move(session),
                     .issued_at = *issued_at,
                     .expires_at = *expires_at};
  if (!are_whole(claims)) return std::nullopt;
  return claims;
}

}  // namespace

Result<std::string> sign_token(const TokenClaims& claims, const Key& key, std::uint32_t key_id) {
  const Fail cannot_sign({Code::internal_error, "the account cannot be written into a token", {}, {}});
  if (!are_whole(claims)) return cannot_sign;
  const Json header{{"alg", kAlgorithm}, {"typ", kType}, {"kid", std::to_string(key_id)}};
  const Json payload{{"iss", kIssuer},          {"aud", kAudience},
                     {"sub", claims.user_uuid}, {"tailscale_user_id", claims.tailscale_user_id},
                     {"email", claims.email},   {"tailnet", claims.tailnet},
                     {"iat", claims.issued_at}, {"exp", claims.expires_at},
                     {"jti", claims.session_id}};
  std::string token = base64url_encode(dump(header)) + '.' + base64url_encode(dump(payload));
  token += '.' + base64url_encode(hmac_sha256(key.reveal(), token));
  if (kPrefix.size() + token.size() > kMaxTokenBytes) return cannot_sign;
  return token;
}

Result<TokenClaims> read_token(std::string_view token, const TokenKeys& keys, std::int64_t now) {
  if (token.size() > kMaxTokenBytes) return Fail(not_valid());
  if (token.starts_with(kPrefix)) token.remove_prefix(kPrefix.size());
  const auto parts = split_token(token);
  if (!parts) return Fail(not_valid());
  const Key* key = key_of(parts->header, keys);
  // The payload is not looked at before its signature is known to be ours.
  if (key == nullptr || !is_signed_by(*key, *parts)) return Fail(not_valid());
  auto claims = claims_of(parts->payload);
  if (!claims) return Fail(not_valid());
  if (claims->expires_at <= now) return Fail(refused("The token has expired."));
  return *std::move(claims);
}

}  // namespace leger
