#pragma once

// AES-256-GCM under a nonce that the caller chose: what seal() stands on and what published vectors are held against.
// Nobody but backend/crypto and its tests uses it, since a nonce that is used twice under one key gives the key's
// authentication away. Any thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/crypto/key.h"
#include "backend/crypto/seal.h"

namespace leger::detail {

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;

// Whose code does it: the same bytes come of both. libsodium's, where the processor has instructions for it, takes two
// fifths of the time that OpenSSL needs for a short value, most of which is spent on preparing.
enum class Engine : std::uint8_t { openssl, sodium };

// sodium where this processor can. After the first Key was made, which readies libsodium.
Engine quickest_engine();

// Encrypts under `nonce` of 12 bytes; internal_error for one of another length.
Result<Sealed> seal_under_nonce(const Key& key, std::string nonce, std::string_view plaintext,
                                std::string_view associated_data, Engine engine);

// What open_sealed() does.
Result<Secret> open_with(const Key& key, const SealedView& sealed, std::string_view associated_data, Engine engine);

}  // namespace leger::detail
