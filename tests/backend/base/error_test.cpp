#include "backend/base/error.h"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace leger {
namespace {

struct Row {
  Code code;
  int status;
  std::string_view name;
};

// The contract's table, written down a second time.
constexpr std::array kContract{
    Row{Code::bad_request, 400, "bad_request"},
    Row{Code::invalid_request, 400, "invalid_request"},
    Row{Code::invalid_secret_name, 400, "invalid_secret_name"},
    Row{Code::invalid_bundle, 400, "invalid_bundle"},
    Row{Code::invalid_token, 401, "invalid_token"},
    Row{Code::tailscale_verification_failed, 403, "tailscale_verification_failed"},
    Row{Code::account_not_linked, 403, "account_not_linked"},
    Row{Code::insufficient_permissions, 403, "insufficient_permissions"},
    Row{Code::forbidden_origin, 403, "forbidden_origin"},
    Row{Code::secret_not_found, 404, "secret_not_found"},
    Row{Code::release_not_found, 404, "release_not_found"},
    Row{Code::deployment_not_found, 404, "deployment_not_found"},
    Row{Code::service_not_found, 404, "service_not_found"},
    Row{Code::not_found, 404, "not_found"},
    Row{Code::method_not_allowed, 405, "method_not_allowed"},
    Row{Code::request_timeout, 408, "request_timeout"},
    Row{Code::conflict, 409, "conflict"},
    Row{Code::confirmation_required, 409, "confirmation_required"},
    Row{Code::secret_value_too_large, 413, "secret_value_too_large"},
    Row{Code::bundle_too_large, 413, "bundle_too_large"},
    Row{Code::body_too_large, 413, "body_too_large"},
    Row{Code::uri_too_long, 414, "uri_too_long"},
    Row{Code::unsupported_media_type, 415, "unsupported_media_type"},
    Row{Code::range_not_satisfiable, 416, "range_not_satisfiable"},
    Row{Code::unknown_host, 421, "unknown_host"},
    Row{Code::preflight_failed, 422, "preflight_failed"},
    Row{Code::rate_limit_exceeded, 429, "rate_limit_exceeded"},
    Row{Code::headers_too_large, 431, "headers_too_large"},
    Row{Code::internal_error, 500, "internal_error"},
    Row{Code::not_implemented, 501, "not_implemented"},
    Row{Code::upstream_failed, 502, "upstream_failed"},
    Row{Code::unavailable, 503, "unavailable"},
    Row{Code::insufficient_storage, 507, "insufficient_storage"},
};

TEST_CASE("every code has the status and the name of the contract, and is found by its name") {
  CHECK(kContract.size() == static_cast<std::size_t>(Code::insufficient_storage) + 1);
  for (const Row& row : kContract) {
    CHECK(status_of(row.code) == row.status);
    CHECK(name_of(row.code) == row.name);
    CHECK(code_named(row.name) == row.code);
  }
}

TEST_CASE("a name that is not in the contract has no code") {
  for (const std::string_view name : {"", "ok", "Conflict", "conflict ", "internal"}) {
    CHECK(code_named(name) == std::nullopt);
  }
}

TEST_CASE("a full disk or quota is insufficient_storage and says what to do") {
  for (const int problem : {ENOSPC, EDQUOT}) {
    const Error error = system_error("Cannot write x", problem);
    CHECK(error.code == Code::insufficient_storage);
    CHECK(!error.action.empty());
  }
}

TEST_CASE("another failed system call is internal_error with what was tried and why") {
  const Error error = system_error("Cannot open x", EACCES);
  CHECK(error.code == Code::internal_error);
  CHECK(error.message == "Cannot open x: Permission denied");
}

}  // namespace
}  // namespace leger
