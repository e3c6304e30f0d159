#include "backend/base/json.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace leger {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string object_of(std::size_t fields) {
  std::string text = "{";
  for (std::size_t i = 0; i < fields; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  return text + "}";
}

std::string field_of(const std::string& name, std::size_t bytes) {
  return "{\"" + name + "\":\"" + std::string(bytes, 'x') + "\"}";
}

// What was wrong, or nothing.
std::string problem(std::string_view text, JsonLimits limits = {}) {
  const auto value = parse_json(text, limits);
  if (value) return "";
  CHECK(value.error().code == Code::invalid_request);
  return value.error().message;
}

TEST_CASE("a string that is appended is written as dump writes it") {
  std::string every;
  for (int byte = 0; byte < 128; ++byte) every += static_cast<char>(byte);
  for (const std::string& text :
       {std::string(), every, std::string("\xc3\xa4 \xe2\x98\x83 \xf0\x9f\x94\x91"), std::string("a\0b", 3)}) {
    std::string out = "before";
    append_json_string(out, text);
    CHECK(out == "before" + dump(Json(text)));
  }
}

TEST_CASE("depth up to 64") {
  CHECK(problem(nested(63)).empty());
  CHECK(problem(nested(64)).empty());
  CHECK(problem(nested(65)).find("nested too deeply") != std::string::npos);
  CHECK(problem(std::string(65, '[')).find("nested too deeply") != std::string::npos);
}

TEST_CASE("strings and field names up to 1000 bytes") {
  CHECK(problem(field_of("a", 999)).empty());
  CHECK(problem(field_of("a", 1000)).empty());
  CHECK(problem(field_of("a", 1001)).find("longer than 1000 bytes") != std::string::npos);
  CHECK(problem(field_of(std::string(1000, 'k'), 1)).empty());
  CHECK(problem(field_of(std::string(1001, 'k'), 1)).find("field name is too long") != std::string::npos);
}

TEST_CASE("bytes are counted after escapes are read") {
  CHECK(problem("[\"" + std::string(999, 'x') + "\\u0041\"]").empty());
  CHECK(!problem("[\"" + std::string(999, 'x') + "\\u00e4\"]").empty());
}

TEST_CASE("the fields value and value_base64 may be longer, and nothing else may") {
  CHECK(problem(field_of("value", 100'000)).empty());
  CHECK(problem(field_of("value_base64", 100'000)).empty());
  CHECK(!problem(field_of("Value", 1001)).empty());
  const std::string longer = '"' + std::string(1001, 'x') + '"';
  CHECK(!problem("{\"value\":\"v\",\"name\":" + longer + "}").empty());
  CHECK(!problem("{\"value\":{\"name\":" + longer + "}}").empty());
  CHECK(!problem("{\"value\":[" + longer + "]}").empty());
}

TEST_CASE("a long string after an object that ended with value is refused") {
  const std::string longer = '"' + std::string(1001, 'x') + '"';
  CHECK(!problem("[{\"value\":\"v\"}," + longer + "]").empty());
  CHECK(!problem("{\"name\":[{\"value\":\"v\"}," + longer + "]}").empty());
}

TEST_CASE("up to 1000 fields of one object") {
  CHECK(problem(object_of(999)).empty());
  CHECK(problem(object_of(1000)).empty());
  CHECK(problem(object_of(1001)).find("too many fields") != std::string::npos);
  CHECK(problem("[" + object_of(1000) + "," + object_of(1000) + "]").empty());
}

TEST_CASE("a megabyte of fields, or of brackets, does not hold the loop for seconds") {
  const auto began = std::chrono::steady_clock::now();
  CHECK(!problem(object_of(100'000)).empty());
  CHECK(!problem(nested(500'000)).empty());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
}

TEST_CASE("a megabyte of small objects in one list is read in one go") {
  std::string text = "[{}";
  for (int i = 1; i < 300'000; ++i) text += ",{}";
  const auto list = parse_json(text + "]");
  REQUIRE(list);
  CHECK(list->size() == 300'000);
}

TEST_CASE("a field that is there twice is refused at every level, also spelled with escapes") {
  CHECK(problem(R"({"a":1,"b":2,"a":3})").find("\"a\" is there twice") != std::string::npos);
  CHECK(!problem(R"([{"x":{"a":1,"a":1}}])").empty());
  CHECK(!problem(R"({"a":1,"\u0061":2})").empty());
  CHECK(problem(R"([{"a":1},{"a":1}])").empty());
  CHECK(problem(R"({"a":{"a":1}})").empty());
}

TEST_CASE("what is not JSON in UTF-8 is refused") {
  for (const std::string_view text : {"", " ", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "nul", "01", "1 2", "\"\xff\"",
                                      "\"\xed\xa0\x80\"", "\"\\ud800\"", "// c\n1", "NaN", "1e999", "\"a\nb\""}) {
    CHECK_MESSAGE(problem(text) == "The body is not valid JSON in UTF-8.", std::string(text));
  }
}

TEST_CASE("a zero byte does not hide what follows it") {
  CHECK(!problem(std::string_view("1\0", 2)).empty());
  CHECK(!problem(std::string_view("{\"a\":1}\0{\"a\":2}", 15)).empty());
  CHECK(problem(R"(["\u0000"])").empty());
}

TEST_CASE("fields keep their order and their values") {
  const auto value = parse_json(R"({"z":1,"a":"\u00e4","m":[true,null,-2,0.5]})");
  REQUIRE(value);
  CHECK(dump(*value) == "{\"z\":1,\"a\":\"\xc3\xa4\",\"m\":[true,null,-2,0.5]}");
}

TEST_CASE("bytes that are not UTF-8 are written as U+FFFD") { CHECK(dump(Json("a\xff")) == "\"a\xef\xbf\xbd\""); }

TEST_CASE("fields by type") {
  const Json object = {{"text", "t"},     {"number", -5}, {"big", INT64_MAX},  {"too_big", std::uint64_t{1} << 63U},
                       {"fraction", 1.0}, {"flag", true}, {"nothing", nullptr}};
  CHECK(text_field(object, "text") == "t");
  CHECK(text_field(object, "number") == std::nullopt);
  CHECK(text_field(object, "nothing") == std::nullopt);
  CHECK(text_field(object, "absent") == std::nullopt);
  CHECK(integer_field(object, "number") == -5);
  CHECK(integer_field(object, "big") == INT64_MAX);
  CHECK(integer_field(object, "too_big") == std::nullopt);
  CHECK(integer_field(object, "fraction") == std::nullopt);
  CHECK(integer_field(object, "flag") == std::nullopt);
  CHECK(bool_field(object, "flag") == true);
  CHECK(bool_field(object, "number") == std::nullopt);
  CHECK(text_field(Json::array({1}), "text") == std::nullopt);
  CHECK(text_field(Json("text"), "text") == std::nullopt);
}

TEST_CASE("an answer of a program may have long strings, up to the bytes that are allowed") {
  const std::string text = field_of("a", 5000);
  CHECK(parse_reply(text, "Podman", text.size()));
  const auto refused = parse_reply(text, "Podman", text.size() - 1);
  REQUIRE(!refused);
  CHECK(refused.error().code == Code::upstream_failed);
  CHECK(refused.error().message == "Podman sent an answer that is too large.");
}

TEST_CASE("an answer that cannot be read names who sent it") {
  for (const std::string& text : {std::string("<html>"), nested(65), object_of(10'001)}) {
    const auto refused = parse_reply(text, "tailscaled", 1'000'000);
    REQUIRE(!refused);
    CHECK(refused.error().code == Code::upstream_failed);
    CHECK(refused.error().message == "tailscaled sent an answer that cannot be read.");
  }
}

}  // namespace
}  // namespace leger
