#include "daemon/byte_ranges.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace leger::test {
namespace {

constexpr std::uint64_t kSize = 1000;
const std::string kTag = "\"abc\"";

// What is selected, in a word or as FIRST+LENGTH.
std::string select(std::vector<Header> headers, Method method = Method::get, std::uint64_t size = kSize) {
  Head head{.method = method};
  head.headers = std::move(headers);
  const Selection selection = select_bytes(head, kTag, size);
  if (const auto* range = std::get_if<ByteRange>(&selection)) {
    return std::to_string(range->first) + "+" + std::to_string(range->length);
  }
  if (std::holds_alternative<NotModified>(selection)) return "not modified";
  return std::holds_alternative<Unsatisfiable>(selection) ? "unsatisfiable" : "whole";
}

struct Case {
  std::string_view value;
  std::string_view expected;
};

}  // namespace

TEST_CASE("one range is taken, everything else gives the whole") {
  for (const auto& [value, expected] : std::vector<Case>{
           {"bytes=0-0", "0+1"},
           {"bytes=0-999", "0+1000"},
           {"bytes=10-19", "10+10"},
           {"bytes=999-999", "999+1"},
           {"bytes=990-", "990+10"},
           {"bytes=0-", "0+1000"},
           {"bytes=500-100000", "500+500"},
           {"bytes=0-99999999999999999999999999", "0+1000"},
           {"bytes=-1", "999+1"},
           {"bytes=-1000", "0+1000"},
           {"bytes=-5000", "0+1000"},
           {"bytes=-99999999999999999999999999", "0+1000"},
           {"BYTES=1-2", "1+2"},
           {"bytes= 1-2", "1+2"},
           {"bytes=001-002", "1+2"},
           {"bytes=1000-", "unsatisfiable"},
           {"bytes=1000-1001", "unsatisfiable"},
           {"bytes=99999999999999999999999999-", "unsatisfiable"},
           {"bytes=-0", "unsatisfiable"},
           {"", "whole"},
           {"bytes", "whole"},
           {"bytes=", "whole"},
           {"bytes=-", "whole"},
           {"bytes=2-1", "whole"},
           {"bytes=1000-999", "whole"},
           {"bytes=a-b", "whole"},
           {"bytes=1-b", "whole"},
           {"bytes=+1-2", "whole"},
           {"bytes=1--2", "whole"},
           {"bytes=--1", "whole"},
           {"bytes=1-2-3", "whole"},
           {"bytes=1 -2", "whole"},
           {"bytes=1-2x", "whole"},
           {"bytes=0x1-2", "whole"},
           {"bytes=1", "whole"},
           {"bytes=0-1,5-6", "whole"},
           {"bytes=0-1,", "whole"},
           {"byte=0-1", "whole"},
           {"items=0-1", "whole"},
           {"bytes 0-1", "whole"},
       }) {
    CAPTURE(value);
    CHECK(select({{"Range", value}}) == expected);
  }
  CHECK(select({{"Range", "bytes=0-1"}, {"range", "bytes=2-3"}}) == "whole");
  CHECK(select({}) == "whole");
}

TEST_CASE("an empty body has no bytes to give") {
  CHECK(select({{"Range", "bytes=0-"}}, Method::get, 0) == "unsatisfiable");
  CHECK(select({{"Range", "bytes=-1"}}, Method::get, 0) == "unsatisfiable");
  CHECK(select({{"Range", "bytes=0-0"}}, Method::get, 1) == "0+1");
}

TEST_CASE("HEAD has no ranges, and has conditions") {
  CHECK(select({{"Range", "bytes=0-1"}}, Method::head) == "whole");
  CHECK(select({{"Range", "bytes=5000-"}}, Method::head) == "whole");
  CHECK(select({{"If-None-Match", "\"abc\""}}, Method::head) == "not modified");
}

TEST_CASE("If-None-Match is compared weakly, and comes before a range") {
  for (const auto& [value, expected] : std::vector<Case>{
           {"\"abc\"", "not modified"},
           {"W/\"abc\"", "not modified"},
           {"*", "not modified"},
           {"\"x\", \"abc\"", "not modified"},
           {"\"x\",W/\"abc\" ,\"y\"", "not modified"},
           {"\t\"abc\" ", "not modified"},
           {"\"ABC\"", "whole"},
           {"abc", "whole"},
           {"w/\"abc\"", "whole"},
           {"W/ \"abc\"", "whole"},
           {"\"abc", "whole"},
           {"\"x\"", "whole"},
           {"", "whole"},
           {",,", "whole"},
       }) {
    CAPTURE(value);
    CHECK(select({{"If-None-Match", value}}) == expected);
  }
  CHECK(select({{"If-None-Match", "\"x\""}, {"if-none-match", "\"abc\""}}) == "not modified");
  CHECK(select({{"Range", "bytes=5000-"}, {"If-None-Match", "\"abc\""}}) == "not modified");
  CHECK(select({{"Range", "bytes=0-1"}, {"If-None-Match", "\"x\""}}) == "0+2");
}

TEST_CASE("If-Range is compared strongly, and a date is never ours") {
  for (const auto& [value, expected] : std::vector<Case>{
           {"\"abc\"", "0+2"},
           {" \"abc\" ", "0+2"},
           {"W/\"abc\"", "whole"},
           {"\"x\"", "whole"},
           {"*", "whole"},
           {"Sun, 22 Nov 2026 04:05:06 GMT", "whole"},
           {"", "whole"},
       }) {
    CAPTURE(value);
    CHECK(select({{"Range", "bytes=0-1"}, {"If-Range", value}}) == expected);
  }
  CHECK(select({{"Range", "bytes=5000-"}, {"If-Range", "\"x\""}}) == "whole");
  CHECK(select({{"If-Range", "\"abc\""}}) == "whole");
}

}  // namespace leger::test
