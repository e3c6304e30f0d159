#include "daemon/request_fields.h"

#include <doctest/doctest.h>

namespace leger::test {
namespace {

constexpr std::uint64_t kMost = 1000;

// A request with this body, query and first parameter.
struct Asked {
  explicit Asked(std::string body, std::string_view query = {}, std::string parameter = {})
      : head{.query = query},
        request{.head = head, .peer = peer, .parameters = {std::move(parameter)}, .body = std::move(body)} {}
  Head head;
  Peer peer;
  Request request;
};

std::string problem_with(std::string body) {
  const Asked asked(std::move(body));
  const auto object = read_object(asked.request, {"value", "name"});
  REQUIRE_FALSE(object.has_value());
  CHECK(object.error().code == Code::invalid_request);
  return object.error().message;
}

Error no_such() { return {Code::release_not_found, "none", {}, {}}; }

}  // namespace

TEST_CASE("an object with known fields is read, any of them may be absent") {
  CHECK(read_object(Asked(R"({"name":"x"})").request, {"value", "name"}).has_value());
  CHECK(read_object(Asked("{}").request, {"value"}).has_value());
}

TEST_CASE("a body that is no object of known fields is refused") {
  for (const char* body :
       {"", " ", "[]", "1", "null", "\"name\"", "{", R"({"name":1,})", R"({"name":1}x)", R"({'name':1})",
        R"({"name":1,"name":2})", "{\"name\":\"\xff\"}", "{\"name\":\"a\nb\"}", "\xef\xbb\xbf[]"}) {
    CAPTURE(body);
    CHECK_FALSE(problem_with(body).empty());
  }
  CHECK(problem_with(R"({"name":1,"nmae":2})") == "The field \"nmae\" is not known here.");
  CHECK(problem_with(R"({"a\u001b\n":2})") == "The field \"a\\x1b\\x0a\" is not known here.");
  CHECK(problem_with("{\"" + std::string(200, 'a') + "\":1}").size() < 120);
}

TEST_CASE("an optional number is a whole number from 0") {
  const auto number = [](const char* text) { return optional_number(Json::parse(text), "n"); };
  CHECK(number("{}").value() == std::nullopt);
  CHECK(number(R"({"n":0})").value() == 0);
  CHECK(number(R"({"n":9223372036854775807})").value() == 9223372036854775807U);
  for (const char* text : {R"({"n":-1})", R"({"n":1.0})", R"({"n":"1"})", R"({"n":null})", R"({"n":true})",
                           R"({"n":[]})", R"({"n":9223372036854775808})", R"({"n":1e3})"}) {
    CAPTURE(text);
    const auto refused = number(text);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.contains("\"n\""));
  }
}

TEST_CASE("a number of the query keeps its bounds") {
  const auto number = [](std::string_view query) { return query_number(Asked({}, query).request, "limit", 1, kMost); };
  CHECK(number("").value() == std::nullopt);
  CHECK(number("other=5").value() == std::nullopt);
  CHECK(number("limit=1").value() == 1);
  CHECK(number("limit=1000").value() == 1000);
  CHECK(number("limit=%35").value() == 5);
  CHECK(number("limit=7&limit=8").value() == 8);
  for (const char* query : {"limit=0", "limit=1001", "limit=", "limit", "limit=-1", "limit=+1", "limit=1x", "limit=0x1",
                            "limit=%", "limit=18446744073709551616"}) {
    CAPTURE(query);
    CHECK_FALSE(number(query).has_value());
  }
}

TEST_CASE("a version in a path is a whole number from 1, anything else is as an absent one") {
  const auto version = [](const char* text) { return path_version(Asked({}, {}, text).request, no_such()); };
  CHECK(version("1").value() == 1);
  CHECK(version("9223372036854775807").value() == 9223372036854775807U);
  for (const char* text : {"0", "-1", "", "x", "1.0", "9223372036854775808", "18446744073709551616", "1 ", "v1"}) {
    CAPTURE(text);
    const auto refused = version(text);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::release_not_found);
  }
}

TEST_CASE("percent escapes are decoded once, and only to text") {
  CHECK(percent_decode("") == "");
  CHECK(percent_decode("a%20b%2Fc%2f") == "a b/c/");
  CHECK(percent_decode("%252f") == "%2f");
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_decode("%C3%A9") == "\xc3\xa9");
  for (const char* text :
       {"%", "%2", "a%", "a%f", "%zz", "%0g", "%g0", "%00", "a%00b", "%ff", "%c3", "%c0%af", "%ed%a0%80", "\xff"}) {
    CAPTURE(text);
    CHECK(percent_decode(text) == std::nullopt);
  }
}

TEST_CASE("a header is found whatever its case") {
  const Head head{.headers = {{"Content-TYPE", "a"}, {"content-type", "b"}}};
  CHECK(head.header("content-type") == "a");
  CHECK(head.header("content-typ") == std::nullopt);
}

}  // namespace leger::test
