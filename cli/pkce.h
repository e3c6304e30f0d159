#pragma once

// Proof Key for Code Exchange (RFC 7636): whoever asked for a one-time code proves that it is the one who trades it in.

#include <string>
#include <string_view>

#include "backend/base/secret.h"

namespace leger {

struct Pkce {
  Secret verifier;        // 43 characters, 256 bits by chance
  std::string challenge;  // S256 of it
};

Pkce make_pkce();

// BASE64URL(SHA256(verifier)), as RFC 7636 §4.2 has it.
std::string challenge_of(std::string_view verifier);

// 43 characters of base64url, 256 bits by chance.
std::string random_text();

}  // namespace leger
