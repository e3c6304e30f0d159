#pragma once

// One-time codes that carry a sign-in from one client of a person to another: from the socket to the browser, from the
// browser to the CLI. A code is good for 60 s and one try, and only together with the verifier whose challenge it was
// asked for with (S256, RFC 7636). In memory; a restart ends them. Loop thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "backend/base/clock.h"
#include "backend/base/error.h"

namespace leger {

inline constexpr std::uint64_t kCodeSeconds = 60;

// What a code stands for.
struct CodeGrant {
  std::string user_uuid;
  std::string binding;  // of the session that it was asked from: the one that comes of it gets the same
};

class SignInCodes {
 public:
  // `clock` outlives this.
  explicit SignInCodes(const Clock& clock) : clock_(clock) {}

  // A new code, `XXXX-XXXX-XXXX` of letters and digits that are not mistaken for one another. invalid_request for a
  // challenge that is not 43 characters of base64url; rate_limit_exceeded where 1000 are open, or 20 of this user.
  Result<std::string> issue(CodeGrant grant, std::string challenge);

  // What the code stands for; it is used up, whatever the outcome. Case and dashes do not matter. invalid_token for one
  // that is unknown, used, older than 60 s, or not of this verifier: its message says which of "used or unknown",
  // "expired", "another verifier", and its `details` are {"reason":"used"|"expired"|"verifier"}.
  Result<CodeGrant> redeem(std::string_view code, std::string_view verifier);

 private:
  struct Open {
    CodeGrant grant;
    std::string challenge;
    std::uint64_t issued_ms = 0;
  };
  bool is_expired(const Open& open) const;
  void forget_expired();

  const Clock& clock_;
  std::map<std::string, Open, std::less<>> open_;
};

}  // namespace leger
