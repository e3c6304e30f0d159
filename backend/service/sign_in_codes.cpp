#include "backend/service/sign_in_codes.h"

#include <sodium.h>

#include <algorithm>
#include <utility>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

// Without those that are mistaken for one another: 0 O, 1 I L.
constexpr std::string_view kAlphabet = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";
constexpr std::size_t kCodeSize = 12;  // 59 bits
constexpr std::size_t kGroupSize = 4;

constexpr std::size_t kMostKept = 1000;
constexpr std::ptrdiff_t kMostOpenOfUser = 20;

constexpr std::size_t kChallengeSize = 43;
constexpr std::size_t kLeastVerifier = 43;  // RFC 7636 §4.1, as is the alphabet
constexpr std::size_t kMostVerifier = 128;
constexpr std::string_view kVerifierAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

std::string random_code() {
  std::string code;
  for (std::size_t i = 0; i < kCodeSize; ++i) code += kAlphabet[randombytes_uniform(kAlphabet.size())];
  return code;
}

std::string with_dashes(std::string_view code) {
  std::string text;
  for (std::size_t i = 0; i < code.size(); i += kGroupSize) {
    if (i != 0) text += '-';
    text += code.substr(i, kGroupSize);
  }
  return text;
}

// A code as it is kept: capitals and digits alone.
std::string plain(std::string_view code) {
  std::string text;
  for (const char c : code) {
    if (c == '-') continue;
    text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return text;
}

bool is_verifier(std::string_view text) {
  return text.size() >= kLeastVerifier && text.size() <= kMostVerifier &&
         text.find_first_not_of(kVerifierAlphabet) == std::string_view::npos;
}

std::string challenge_of(std::string_view verifier) {
  Sha256 hash;
  hash.update(verifier);
  return base64url_encode(hash.bytes());
}

Error refused(std::string message, const char* details) {
  return {Code::invalid_token, std::move(message), "Begin again: leger login", details};
}

Error too_many(const char* message) {
  return {Code::rate_limit_exceeded, message, "Use one of them, or wait a minute and try again.", {}};
}

}  // namespace

Result<std::string> SignInCodes::issue(CodeGrant grant, std::string challenge) {
  if (challenge.size() != kChallengeSize || !base64url_decode(challenge)) {
    return Fail({Code::invalid_request,
                 "`challenge` is not the base64url of a SHA-256: 43 characters, without padding.",
                 "Send BASE64URL(SHA256(verifier)), as RFC 7636 has it for S256.",
                 {}});
  }
  // Expired ones stay as long as there is room, so that who comes late is told so.
  if (open_.size() >= kMostKept) forget_expired();
  if (open_.size() >= kMostKept) return Fail(too_many("Too many sign-in codes are open on this host."));
  const auto of_user = std::ranges::count_if(open_, [this, &grant](const auto& entry) {
    return entry.second.grant.user_uuid == grant.user_uuid && !is_expired(entry.second);
  });
  if (of_user >= kMostOpenOfUser) return Fail(too_many("Too many sign-in codes of this account are open."));
  std::string code = random_code();
  while (open_.contains(code)) code = random_code();
  open_.emplace(code,
                Open{.grant = std::move(grant), .challenge = std::move(challenge), .issued_ms = clock_.boot_ms()});
  return with_dashes(code);
}

Result<CodeGrant> SignInCodes::redeem(std::string_view code, std::string_view verifier) {
  const auto found = open_.find(plain(code));
  if (found == open_.end()) {
    return Fail(refused("This sign-in code is not known here, or was used already.", R"({"reason":"used"})"));
  }
  const Open open = std::move(found->second);
  open_.erase(found);
  if (is_expired(open)) {
    return Fail(refused("This sign-in code has expired: it was good for 60 s.", R"({"reason":"expired"})"));
  }
  if (!is_verifier(verifier) || !equal_in_constant_time(challenge_of(verifier), open.challenge)) {
    return Fail(refused("This sign-in code was asked for by another client: its verifier is not this one.",
                        R"({"reason":"verifier"})"));
  }
  return open.grant;
}

bool SignInCodes::is_expired(const Open& open) const {
  return clock_.boot_ms() - open.issued_ms >= kCodeSeconds * 1000;
}

void SignInCodes::forget_expired() {
  std::erase_if(open_, [this](const auto& entry) { return is_expired(entry.second); });
}

}  // namespace leger
