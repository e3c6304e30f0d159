#include "daemon/envelope.h"

namespace leger {
namespace {

bool is_below(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
}

// The paths of the second seed's published client, which reads `error` as text.
bool speaks_cli_dialect(std::string_view path) {
  return path == "/auth/cli" || is_below(path, "/secrets") || path == "/api/secrets/list" ||
         path == "/api/secrets/set" || path.starts_with("/api/secrets/get/");
}

}  // namespace

Response success(const Json& data, int status) {
  Response response{.status = status};
  response.body = R"({"success":true,"data":)" + dump(data) + "}";
  return response;
}

Response failure(const Error& error, std::string_view path, const std::string& allow) {
  Response response{.status = status_of(error.code)};
  Json body{{"success", false}};
  if (speaks_cli_dialect(path)) {
    body["error"] = name_of(error.code);
    // The published client compares these two messages for equality with their codes.
    const bool bare = error.code == Code::secret_not_found || error.code == Code::account_not_linked;
    if (!bare) body["message"] = error.message;
  } else {
    body["error"] = {{"code", name_of(error.code)}, {"message", error.message}};
    if (!error.action.empty()) body["error"]["action"] = error.action;
    if (!error.details.empty()) body["error"]["details"] = Json::parse(error.details, nullptr, false);
  }
  response.body = dump(body);
  if (error.code == Code::rate_limit_exceeded) {
    const Json details = Json::parse(error.details, nullptr, false);
    const auto seconds = details.is_object() ? integer_field(details, "retry_after") : std::nullopt;
    response.headers.emplace_back("Retry-After", std::to_string(seconds.value_or(1)));
  }
  if (error.code == Code::invalid_token) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.code == Code::method_not_allowed) response.headers.emplace_back("Allow", allow);
  return response;
}

}  // namespace leger
