#include "backend/base/error.h"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace leger {
namespace {

struct Row {
  Code code;
  int status;
  std::string_view name;
};

constexpr std::array kCodes{
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
    Row{Code::headers_too_large, 431, "headers_too_large"},
    Row{Code::unsupported_media_type, 415, "unsupported_media_type"},
    Row{Code::range_not_satisfiable, 416, "range_not_satisfiable"},
    Row{Code::unknown_host, 421, "unknown_host"},
    Row{Code::preflight_failed, 422, "preflight_failed"},
    Row{Code::rate_limit_exceeded, 429, "rate_limit_exceeded"},
    Row{Code::internal_error, 500, "internal_error"},
    Row{Code::not_implemented, 501, "not_implemented"},
    Row{Code::upstream_failed, 502, "upstream_failed"},
    Row{Code::unavailable, 503, "unavailable"},
    Row{Code::insufficient_storage, 507, "insufficient_storage"},
};

const Row& row_of(Code code) {
  for (const Row& row : kCodes) {
    if (row.code == code) return row;
  }
  std::unreachable();
}

}  // namespace

int status_of(Code code) { return row_of(code).status; }

std::string_view name_of(Code code) { return row_of(code).name; }

std::optional<Code> code_named(std::string_view name) {
  for (const Row& row : kCodes) {
    if (row.name == name) return row.code;
  }
  return std::nullopt;
}

Error system_error(std::string_view what, int errno_value) {
  std::string message = std::string(what) + ": " + std::generic_category().message(errno_value);
  if (errno_value == ENOSPC || errno_value == EDQUOT) {
    return {Code::insufficient_storage, std::move(message), "Free some disk space, then try again.", {}};
  }
  return {Code::internal_error, std::move(message), {}, {}};
}

}  // namespace leger
