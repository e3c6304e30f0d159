#include "cli/pkce.h"

#include <sodium.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kRandomBytes = 32;

template <std::size_t Size>
std::string encoded(const std::array<unsigned char, Size>& bytes) {
  return base64url_encode({reinterpret_cast<const char*>(bytes.data()), Size});
}

}  // namespace

std::string random_text() {
  if (sodium_init() < 0) std::abort();  // no random numbers to be had
  std::array<unsigned char, kRandomBytes> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::string text = encoded(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

std::string challenge_of(std::string_view verifier) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(verifier.data()), verifier.size());
  return encoded(hash);
}

Pkce make_pkce() {
  Secret verifier(random_text());
  std::string challenge = challenge_of(verifier.reveal());
  return {std::move(verifier), std::move(challenge)};
}

}  // namespace leger
