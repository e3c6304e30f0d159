#pragma once

// What can go wrong, said once: a closed set of codes (those of the contract), a message for people, what to do next.
// Every function that can fail returns Result<T>; exceptions are bugs. Errors never carry a secret.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace leger {

enum class Code {
  bad_request,
  invalid_request,
  invalid_secret_name,
  invalid_bundle,
  invalid_token,
  tailscale_verification_failed,
  account_not_linked,
  insufficient_permissions,
  forbidden_origin,
  secret_not_found,
  release_not_found,
  deployment_not_found,
  service_not_found,
  not_found,
  method_not_allowed,
  request_timeout,
  conflict,
  confirmation_required,
  secret_value_too_large,
  bundle_too_large,
  body_too_large,
  uri_too_long,
  headers_too_large,
  unsupported_media_type,
  range_not_satisfiable,
  unknown_host,
  preflight_failed,
  rate_limit_exceeded,
  internal_error,
  not_implemented,
  upstream_failed,
  unavailable,
  insufficient_storage,
};

struct Error {
  Code code = Code::internal_error;
  std::string message;  // what is wrong and where, for people
  std::string action;   // what to do next; empty where nothing can be done
  std::string details;  // JSON text of the envelope's `details`; empty where there is nothing to list
};

template <class T>
using Result = std::expected<T, Error>;

// `return Fail(other.error());` and `return Fail({Code::conflict, "…", "…"});`
using Fail = std::unexpected<Error>;

// The HTTP status that the contract gives a code, 400 to 507.
int status_of(Code code);

// The contract's name of a code: `secret_not_found`.
std::string_view name_of(Code code);

// The code of a contract name; nothing for a name that is not in the contract.
std::optional<Code> code_named(std::string_view name);

// A failed system call as an Error: `what` says what was tried on which object. A full disk or quota is
// `insufficient_storage`, anything else `internal_error`. `errno_value` as in <cerrno>.
Error system_error(std::string_view what, int errno_value);

}  // namespace leger
