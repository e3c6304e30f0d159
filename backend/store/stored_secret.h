#pragma once

// A secret as it rests: ciphertext, and what may be told of it. Values.

#include <cstdint>
#include <string>

namespace leger {

struct SecretInfo {
  std::string name;
  std::uint64_t version = 0;
  std::string created_at;  // of the secret's first version since it was last deleted; RFC 3339
  std::string updated_at;  // of this version
};

struct SealedValue {
  std::uint32_t key_id = 0;
  std::uint32_t encryption_version = 0;
  std::string nonce;
  std::string ciphertext;
  std::string tag;
};

struct StoredSecret {
  SecretInfo info;
  SealedValue value;
};

}  // namespace leger
