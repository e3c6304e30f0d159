#pragma once

// What every way to sign in shares: codes of legerd and the tokens they are traded for, and keeping the outcome. And
// `leger auth login`, which needs no browser: over TCP tailscaled says who we are, over the Unix socket we are the
// owner already. A token is never printed.

#include <string>

#include "cli/auth_file.h"
#include "cli/context.h"

namespace leger {

// Gives the exit code.
int auth_login(const Context& context);

// The answer to a sign-in. `expires_s` is by our own clock.
struct SignedIn {
  StoredAuth auth;
  std::string tailnet;
};

// Reads the data of the sign-in routes; the token is wiped from it. The error is `api`'s for garbled answers.
Result<SignedIn> read_sign_in(const ApiClient& api, Json& data);

// Trades a one-time code for a token.
Result<SignedIn> exchange_code(ApiClient& api, std::string_view code, std::string_view verifier);

// A code from legerd's Unix socket, for another client of the owner.
struct OwnerCode {
  std::string code;
  std::string url;  // of legerd's TCP door
};

// unavailable where legerd has no TCP door.
Result<OwnerCode> ask_owner_code(ApiClient& api, const std::string& challenge);

// Stores the sign-in for `url` and tells; the exit code.
int keep_sign_in(const Context& context, const std::string& url, SignedIn signed_in);

// The e-mail of a user's JSON, empty where there is none.
std::string email_of(const Json& user);

}  // namespace leger
