// Tokens whose text is not what was signed: their parts, their base64, their bits, their length.

#include "backend/crypto/token.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "tests/backend/crypto/own_tokens.h"

using namespace leger;
using namespace leger::test;
using namespace std::string_literals;

TEST_CASE("a token has three parts, none of them empty") {
  const std::string token = good_token();
  const auto parts = split(token, '.');
  const std::string header(parts[0]);
  const std::string body(parts[1]);
  const std::string signature(parts[2]);
  const std::vector<std::string> wrong{""s,
                                       "."s,
                                       ".."s,
                                       "..."s,
                                       "leg_"s,
                                       header,
                                       header + "." + body,
                                       header + "." + body + ".",
                                       header + ".." + signature,
                                       "." + body + "." + signature,
                                       token + ".",
                                       "." + token,
                                       token + "." + signature,
                                       token + "." + body + "." + signature,
                                       header + "." + token,
                                       header + "." + signature,
                                       "a.b.c"s,
                                       "Bearer " + token,
                                       " " + token,
                                       token + " ",
                                       token + "\n",
                                       token + '\0'};
  for (const std::string& text : wrong) {
    INFO(text);
    CHECK(is_refused(text));
  }
}

TEST_CASE("a token in any other base64 than base64url without padding is refused") {
  const std::string token = good_token();
  const auto parts = split(token, '.');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const std::string_view tail : {"=", "==", "A", "\n", " ", "%3D"}) {
      std::string changed = token;
      const auto end = static_cast<std::size_t>(parts[i].data() - token.data()) + parts[i].size();
      changed.insert(end, tail);
      INFO(changed);
      CHECK(is_refused(changed));
    }
  }
  // A payload whose standard base64 has the two digits of that alphabet, rightly signed over the text as it stands.
  Json odd = payload();
  odd["email"] = "~~~>>>~~~";
  std::string standard = base64_encode(odd.dump());
  REQUIRE(standard.find_first_of("+/") != std::string::npos);
  while (standard.ends_with('=')) standard.pop_back();
  const std::string text = base64url_encode(own_header()) + "." + standard;
  CHECK(is_refused(text + "." + base64url_encode(hmac_sha256(own_keys().at(7).reveal(), text))));
  CHECK(read(signed_token(own_header(), odd.dump())));
}

TEST_CASE("spare bits in the last digit of a part are refused") {
  const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::string token = good_token();
  // 32 bytes leave two spare bits: three other last digits would give the same signature.
  const std::size_t last = digits.find(token.back());
  REQUIRE(last % 4 == 0);
  for (std::size_t spare = 1; spare < 4; ++spare) {
    CHECK(is_refused(token.substr(0, token.size() - 1) + digits[last + spare]));
  }
  // Of the signed parts too, where the signature covers the odd text.
  Json padded = payload();
  while (padded.dump().size() % 3 != 1) padded["tailnet"] = padded["tailnet"].get<std::string>() + "x";
  std::string body = base64url_encode(padded.dump());
  REQUIRE(read(signed_token(own_header(), padded.dump())));
  body.back() = digits[digits.find(body.back()) + 1];
  const std::string text = base64url_encode(own_header()) + "." + body;
  CHECK(is_refused(text + "." + base64url_encode(hmac_sha256(own_keys().at(7).reveal(), text))));
}

TEST_CASE("a token with any bit turned is refused") {
  const std::string token = good_token();
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = token;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      INFO(i, " ", bit);
      CHECK(is_refused(changed));
    }
  }
  for (std::size_t size = 0; size < token.size(); ++size) CHECK(is_refused(token.substr(0, size)));
}

TEST_CASE("bits turned in the bytes themselves are refused in each part") {
  const std::string token = good_token();
  const auto parts = split(token, '.');
  for (std::size_t part = 0; part < 3; ++part) {
    const std::string bytes = base64url_decode(parts[part]).value();
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string changed = bytes;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
      std::vector<std::string> other{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
      other[part] = base64url_encode(changed);
      INFO(part, " ", bit);
      CHECK(is_refused(other[0] + "." + other[1] + "." + other[2]));
    }
  }
}

TEST_CASE("a token is good up to its last second and says when it has expired") {
  const auto at = [](std::int64_t now) { return read_token(good_token(), own_keys().lookup(), now); };
  CHECK(at(0));
  CHECK(at(kExpiry - 1));
  for (const std::int64_t now : {kExpiry, kExpiry + 1, std::int64_t{INT64_MAX}}) {
    const auto late = at(now);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Code::invalid_token);
    CHECK(late.error().message == "The token has expired.");
    CHECK(late.error().action == "Sign in again: leger auth login");
  }
  Json past = payload();
  past["exp"] = std::int64_t{INT64_MIN};
  CHECK(read(signed_token(own_header(), past.dump())).error().message == "The token has expired.");
  // An expired token of somebody else's is no more than not valid.
  const std::string foreign = sign_token(claims(), Key::random(), 7).value();
  CHECK(read_token(foreign, own_keys().lookup(), kExpiry).error().message == "This token is not valid here.");
}

TEST_CASE("a token of 4 KiB is read, and one byte more is refused") {
  Json json = payload();
  // The first size that is not less: base64 has no texts of one digit more than whole groups.
  const auto of_size = [&](std::size_t size) {
    json["email"] = "";
    while (signed_token(own_header(), json.dump()).size() < size)
      json["email"] = json["email"].get<std::string>() + "x";
    return signed_token(own_header(), json.dump());
  };
  std::string text = of_size(kMaxTokenBytes);
  if (text.size() > kMaxTokenBytes) text = of_size(kMaxTokenBytes - 1);
  REQUIRE(text.size() <= kMaxTokenBytes);
  REQUIRE(text.size() + 1 >= kMaxTokenBytes);
  CHECK(read(text));
  CHECK(is_refused(of_size(kMaxTokenBytes + 1)));
  CHECK(is_refused(std::string(kMaxTokenBytes + 1, 'a')));
  CHECK(is_refused(std::string(1 << 20, '.')));
}

TEST_CASE("what could not be read back is not signed") {
  for (const std::string& text : {"\xff"s, "a\0b"s, std::string(4096, 'x')}) {
    TokenClaims odd = claims();
    odd.email = text;
    const auto token = sign_token(odd, own_keys().at(7), 7);
    REQUIRE_FALSE(token);
    CHECK(token.error().code == Code::internal_error);
  }
  TokenClaims nobody = claims();
  nobody.user_uuid.clear();
  CHECK_FALSE(sign_token(nobody, own_keys().at(7), 7));
}

TEST_CASE("hostile texts in claims come back as they are") {
  for (const std::string& text :
       {"\""s, "\\"s, "\n\r\t"s, "\x1b[2J"s, "☃ é"s, "</script>"s, "' OR '1'='1"s, "{\"sub\":1}"s}) {
    TokenClaims odd = claims();
    odd.email = odd.tailnet = odd.tailscale_user_id = text;
    const auto got = read(sign_token(odd, own_keys().at(7), 7).value());
    REQUIRE(got);
    CHECK(got->email == text);
    CHECK(got->tailnet == text);
    CHECK(got->tailscale_user_id == text);
  }
}
