#include "backend/base/text.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leger {
namespace {

using Parts = std::vector<std::string_view>;

TEST_CASE("lower case of ASCII only") {
  CHECK(ascii_lower("AZ az [@ \xc3\x84") == "az az [@ \xc3\x84");
  CHECK(equal_ignoring_case("Content-LENGTH", "content-length"));
  CHECK(!equal_ignoring_case("a", "ab"));
  CHECK(!equal_ignoring_case("[", "{"));
  CHECK(!equal_ignoring_case("@", "`"));
}

TEST_CASE("valid UTF-8: the first and the last of each length") {
  for (const std::string_view text :
       {std::string_view("\x00", 1), std::string_view("\x7f"), std::string_view("\xc2\x80"),
        std::string_view("\xdf\xbf"), std::string_view("\xe0\xa0\x80"), std::string_view("\xed\x9f\xbf"),
        std::string_view("\xee\x80\x80"), std::string_view("\xef\xbf\xbf"), std::string_view("\xf0\x90\x80\x80"),
        std::string_view("\xf4\x8f\xbf\xbf"), std::string_view("a\xc3\xa4z"), std::string_view("")}) {
    CHECK(is_utf8(text));
  }
}

TEST_CASE("bytes that are not UTF-8: cut, overlong, surrogates, beyond the last, stray") {
  for (const std::string_view text : {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xe2\x28\xa1",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "ok\xc3"}) {
    CHECK_MESSAGE(!is_utf8(text), hex_encode(text));
  }
}

TEST_CASE("text that would end a line or steer a terminal is escaped") {
  CHECK(escape_controls("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") ==
        "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  CHECK(escape_controls("\x1b[2J") == "\\x1b[2J");
  CHECK(escape_controls("a\r\nb\tc") == "a\\x0d\\x0ab\\x09c");
  CHECK(escape_controls(std::string_view("\0", 1)) == "\\x00");
  CHECK(escape_controls("\x7f") == "\\x7f");
  CHECK(escape_controls("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0") == "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0");
  CHECK(escape_controls("\xff\xc3") == "\\xff\\xc3");
}

TEST_CASE("marks that turn the direction of text, and line separators, are escaped; their neighbours are not") {
  for (const std::string& mark :
       {std::string("\xd8\x9c"), std::string("\xe2\x80\x8e"), std::string("\xe2\x80\x8f"), std::string("\xe2\x80\xa8"),
        std::string("\xe2\x80\xa9"), std::string("\xe2\x80\xaa"), std::string("\xe2\x80\xae"),
        std::string("\xe2\x81\xa6"), std::string("\xe2\x81\xa9")}) {
    CHECK(escape_controls(mark).find('\\') == 0);
  }
  for (const std::string& neighbour :
       {std::string("\xe2\x80\x8d"), std::string("\xe2\x80\x90"), std::string("\xe2\x80\xa7"),
        std::string("\xe2\x80\xaf"), std::string("\xe2\x81\xa5"), std::string("\xe2\x81\xaa")}) {
    CHECK(escape_controls(neighbour) == neighbour);
  }
}

TEST_CASE("split keeps empty parts") {
  CHECK(split("a,b,c", ',') == Parts{"a", "b", "c"});
  CHECK(split(",a,,", ',') == Parts{"", "a", "", ""});
  CHECK(split("abc", ',') == Parts{"abc"});
  CHECK(split("", ',') == Parts{""});
}

TEST_CASE("whole numbers and nothing else") {
  CHECK(parse_number("0") == 0);
  CHECK(parse_number("007") == 7);
  CHECK(parse_number("18446744073709551615") == UINT64_MAX);
  for (const std::string_view text : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "1a", "0x10", "1.0", "a"}) {
    CHECK(parse_number(text) == std::nullopt);
  }
  CHECK(parse_number({}) == std::nullopt);
}

TEST_CASE("base64: the vectors of RFC 4648, both ways") {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors{{{"", ""},
                                                                                   {"f", "Zg=="},
                                                                                   {"fo", "Zm8="},
                                                                                   {"foo", "Zm9v"},
                                                                                   {"foob", "Zm9vYg=="},
                                                                                   {"fooba", "Zm9vYmE="},
                                                                                   {"foobar", "Zm9vYmFy"}}};
  for (const auto& [bytes, text] : kVectors) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == std::string(bytes));
  }
}

TEST_CASE("base64 of all bytes comes back") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CHECK(base64_decode(base64_encode(bytes.substr(0, size))) == bytes.substr(0, size));
  }
  CHECK(base64_encode("\xfb\xff\xfe") == "+//+");
}

TEST_CASE("base64 that another writer might let pass is refused") {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
                                      "Zm-_", "Zg==Zg==", "=m9v", "Z=9v", "Zm9v=", "Zg=A"}) {
    CHECK_MESSAGE(base64_decode(text) == std::nullopt, std::string(text));
  }
}

TEST_CASE("what is put into an address can neither end it nor climb in it") {
  CHECK(percent_encode("aZ09-_./ ~%\xc3\xa9") == "aZ09-_%2E%2F%20%7E%25%C3%A9");
  CHECK(percent_encode("") == "");
}

TEST_CASE("base64url: the vectors of RFC 4648 without padding, both ways") {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors{{{"", ""},
                                                                                   {"f", "Zg"},
                                                                                   {"fo", "Zm8"},
                                                                                   {"foo", "Zm9v"},
                                                                                   {"foob", "Zm9vYg"},
                                                                                   {"fooba", "Zm9vYmE"},
                                                                                   {"foobar", "Zm9vYmFy"}}};
  for (const auto& [bytes, text] : kVectors) {
    CHECK(base64url_encode(bytes) == text);
    CHECK(base64url_decode(text) == std::string(bytes));
  }
  // RFC 7515, appendix C.
  CHECK(base64url_encode(std::string_view("\x03\xec\xff\xe0\xc1", 5)) == "A-z_4ME");
  CHECK(base64url_decode("A-z_4ME") == std::string("\x03\xec\xff\xe0\xc1", 5));
}

TEST_CASE("base64url of all bytes comes back") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    CHECK(base64url_decode(base64url_encode(bytes.substr(0, size))) == bytes.substr(0, size));
  }
}

TEST_CASE("base64url has one text for any bytes: padding, spare bits and other alphabets are refused") {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"Zg=="sv, "Zm8="sv, "Zm9v===="sv, "="sv, "Z"sv, "Zm9vY"sv, "Zh"sv, "Zm9"sv,
                                      "Zm 9v"sv, "Zm9v\n"sv, "A+z/4ME"sv, "Zm9v\0"sv, "\xc3\xa9"sv, "Zg.."sv}) {
    CHECK_MESSAGE(base64url_decode(text) == std::nullopt, std::string(text));
  }
  // Of the 64 texts of two digits that begin alike, four stand for a byte.
  int taken = 0;
  for (const char digit : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"sv) {
    taken += base64url_decode(std::string("Z") + digit) ? 1 : 0;
  }
  CHECK(taken == 4);
}

TEST_CASE("hexadecimal in lower case") {
  CHECK(hex_encode("") == "");
  CHECK(hex_encode(std::string_view("\x00\x7f\xab\xff", 4)) == "007fabff");
}

}  // namespace
}  // namespace leger
