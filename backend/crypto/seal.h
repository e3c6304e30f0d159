#pragma once

// AES-256-GCM by OpenSSL (NIST SP 800-38D): 96-bit random nonce, 128-bit tag, associated data bound. Any thread.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/crypto/key.h"

namespace leger {

struct Sealed {
  std::string nonce;       // 12 bytes
  std::string ciphertext;  // as long as the plaintext
  std::string tag;         // 16 bytes
};

// The same, somebody else's.
struct SealedView {
  SealedView(std::string_view its_nonce, std::string_view its_ciphertext, std::string_view its_tag)
      : nonce(its_nonce), ciphertext(its_ciphertext), tag(its_tag) {}
  SealedView(const Sealed& sealed) : SealedView(sealed.nonce, sealed.ciphertext, sealed.tag) {}

  std::string_view nonce;
  std::string_view ciphertext;
  std::string_view tag;
};

// Encrypts under a fresh random nonce.
Result<Sealed> seal(const Key& key, std::string_view plaintext, std::string_view associated_data);

// The plaintext; internal_error without a reason when any bit of the four inputs is not what was sealed.
Result<Secret> open_sealed(const Key& key, const SealedView& sealed, std::string_view associated_data);

// What binds a secret's ciphertext to its row (threats T27): "leger/secret/v2" ‖ len32‖user_uuid ‖ len32‖name ‖ u64
// version ‖ u32 key id, all numbers big-endian.
std::string secret_associated_data(std::string_view user_uuid, std::string_view name, std::uint64_t version,
                                   std::uint32_t key_id);

// What binds a wrapped data key to its number (threats T30): "leger/dek/v1" ‖ u32 key id.
std::string data_key_associated_data(std::uint32_t key_id);

// The same for a key that signs tokens: "leger/jwt/v1" ‖ u32 key id. Neither kind opens as the other.
std::string token_key_associated_data(std::uint32_t key_id);

// A random UUID (version 4), lower case.
std::string random_uuid();
// UUID version 5 of a name in the DNS namespace (RFC 9562 §5.5), lower case.
std::string name_uuid(std::string_view name);

// SHA-256 (FIPS 180-4), fed in parts.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  // Once, at the end, one of them: the 32 bytes, or those in lower-case hex.
  std::string bytes();
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// The 32 bytes of HMAC-SHA256 (RFC 2104, FIPS 198-1).
std::string hmac_sha256(std::string_view key, std::string_view text);

// Equal, without telling by the time it takes where they differ. Sizes are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace leger
