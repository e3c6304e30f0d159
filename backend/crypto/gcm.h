#pragma once

// AES-256-GCM under a nonce that the caller chose: what seal() stands on and what published vectors are held against.
// Nobody but backend/crypto and its tests uses it, since a nonce that is used twice under one key gives the key's
// authentication away. Any thread.

#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/crypto/key.h"
#include "backend/crypto/seal.h"

namespace leger::detail {

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;

// Encrypts under `nonce` of 12 bytes; internal_error for one of another length.
Result<Sealed> seal_under_nonce(const Key& key, std::string nonce, std::string_view plaintext,
                                std::string_view associated_data);

}  // namespace leger::detail
