#include "daemon/envelope.h"

#include <doctest/doctest.h>

namespace leger::test {
namespace {

using Headers = std::vector<std::pair<std::string_view, std::string>>;

bool is_cli_dialect(std::string_view path) {
  const Json body = Json::parse(failure({Code::not_found, "m", {}, {}}, path, {}).body);
  return body["error"].is_string();
}

}  // namespace

TEST_CASE("success has its data in the envelope, in the order it was given") {
  const Response response = success({{"b", 1}, {"a", "x\xff"}}, 201);
  CHECK(response.status == 201);
  CHECK(response.body == "{\"success\":true,\"data\":{\"b\":1,\"a\":\"x\xef\xbf\xbd\"}}");
  CHECK(response.content_type == "application/json");
  CHECK(success({}).status == 200);
}

TEST_CASE("a failure in the backend's dialect has code, message, action and details, where there are any") {
  const Response bare = failure({Code::conflict, "Busy.", {}, {}}, "/api/releases", {});
  CHECK(bare.status == 409);
  CHECK(bare.body == R"({"success":false,"error":{"code":"conflict","message":"Busy."}})");
  const Response full = failure({Code::conflict, "Busy.", "Wait.", R"({"id":"7"})"}, "/api/releases", {});
  CHECK(full.body ==
        R"({"success":false,"error":{"code":"conflict","message":"Busy.","action":"Wait.","details":{"id":"7"}}})");
}

TEST_CASE("a failure in the CLI's dialect has its code as text") {
  const Response response = failure({Code::conflict, "Busy.", "Wait.", R"({"id":"7"})"}, "/secrets/set", {});
  CHECK(response.status == 409);
  CHECK(response.body == R"({"success":false,"error":"conflict","message":"Busy."})");
}

TEST_CASE("two codes that the published client compares come without a message in its dialect only") {
  const Error absent{Code::secret_not_found, "There is no such secret.", {}, {}};
  CHECK(failure(absent, "/secrets/get/x", {}).body == R"({"success":false,"error":"secret_not_found"})");
  CHECK(failure(absent, "/api/secrets/x", {}).body ==
        R"({"success":false,"error":{"code":"secret_not_found","message":"There is no such secret."}})");
  CHECK(failure({Code::account_not_linked, "m", {}, {}}, "/auth/cli", {}).body ==
        R"({"success":false,"error":"account_not_linked"})");
}

TEST_CASE("the dialect is chosen by the path") {
  for (const char* path : {"/auth/cli", "/secrets", "/secrets/", "/secrets/list", "/secrets/get/x", "/secrets/a/b",
                           "/api/secrets/list", "/api/secrets/set", "/api/secrets/get/x", "/api/secrets/get/"}) {
    CAPTURE(path);
    CHECK(is_cli_dialect(path));
  }
  for (const char* path : {"", "/", "*", "/health", "/auth/cli/x", "/auth", "/secretsx", "/api/secrets",
                           "/api/secrets/x", "/api/secrets/get", "/api/secrets/getx", "/api/secrets/list/x",
                           "/api/secrets/sets", "/api/releases", "/api/auth/cli", "/SECRETS/list"}) {
    CAPTURE(path);
    CHECK_FALSE(is_cli_dialect(path));
  }
}

TEST_CASE("some codes carry the header that HTTP wants beside them") {
  CHECK(failure({Code::invalid_token, "m", {}, {}}, "/", {}).headers == Headers{{"WWW-Authenticate", "Bearer"}});
  CHECK(failure({Code::method_not_allowed, "m", {}, {}}, "/", "GET, HEAD").headers == Headers{{"Allow", "GET, HEAD"}});
  CHECK(failure({Code::rate_limit_exceeded, "m", {}, R"({"retry_after":7})"}, "/", {}).headers ==
        Headers{{"Retry-After", "7"}});
  CHECK(failure({Code::rate_limit_exceeded, "m", {}, {}}, "/", {}).headers == Headers{{"Retry-After", "1"}});
  CHECK(failure({Code::not_found, "m", {}, {}}, "/", "GET").headers.empty());
}

TEST_CASE("a message with bytes that are not UTF-8 still makes a valid answer") {
  const Response response = failure({Code::not_found, "a\xff\x01", {}, {}}, "/", {});
  CHECK(Json::accept(response.body));
}

}  // namespace leger::test
