#include "backend/crypto/token.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"

using namespace leger;
using namespace std::string_literals;

namespace {

constexpr std::int64_t kNow = 1'790'000'000;
constexpr std::int64_t kExpiry = kNow + 3600;

const std::string kHeader = R"({"alg":"HS256","typ":"JWT","kid":"7"})";

// Our table: 7 signs, 8 did.
class OwnKeys {
 public:
  OwnKeys() {
    keys_.emplace(7, Key::from_bytes(std::string(32, '7')).value());
    keys_.emplace(8, Key::from_bytes(std::string(32, '8')).value());
  }
  const Key& at(std::uint32_t id) const { return keys_.at(id); }
  TokenKeys lookup() const {
    return [this](std::uint32_t id) {
      const auto found = keys_.find(id);
      return found == keys_.end() ? nullptr : &found->second;
    };
  }

 private:
  std::map<std::uint32_t, Key> keys_;
};

const OwnKeys& own_keys() {
  static const OwnKeys keys;
  return keys;
}

TokenClaims claims() {
  return {.user_uuid = "6ba7b810-9dad-51d1-80b4-00c04fd430c8",
          .tailscale_user_id = "123456789",
          .email = "alice@example.com",
          .tailnet = "example.ts.net",
          .session_id = "550e8400-e29b-41d4-a716-446655440000",
          .issued_at = kNow,
          .expires_at = kExpiry};
}

Json payload() {
  return Json::parse(base64url_decode(split(sign_token(claims(), own_keys().at(7), 7).value(), '.').at(1)).value());
}

// A token of any header and payload with a signature that is right for key 7.
std::string signed_token(const std::string& header, const std::string& payload_text) {
  const std::string text = base64url_encode(header) + "." + base64url_encode(payload_text);
  return text + "." + base64url_encode(hmac_sha256(own_keys().at(7).reveal(), text));
}

std::string good_token() { return sign_token(claims(), own_keys().at(7), 7).value(); }

Result<TokenClaims> read(std::string_view token) { return read_token(token, own_keys().lookup(), kNow); }

// Refused, and by an answer that does not say why.
bool is_refused(std::string_view token) {
  const auto answer = read(token);
  return !answer && answer.error().code == Code::invalid_token &&
         answer.error().message == "This token is not valid here." &&
         answer.error().action == "Sign in again: leger auth login" && answer.error().details.empty();
}

}  // namespace

TEST_CASE("a token that was signed is read back whole, with and without its prefix") {
  for (const std::string& token : {good_token(), "leg_" + good_token()}) {
    const auto got = read(token);
    REQUIRE(got);
    CHECK(got->user_uuid == claims().user_uuid);
    CHECK(got->tailscale_user_id == "123456789");
    CHECK(got->email == "alice@example.com");
    CHECK(got->tailnet == "example.ts.net");
    CHECK(got->session_id == claims().session_id);
    CHECK(got->issued_at == kNow);
    CHECK(got->expires_at == kExpiry);
  }
  CHECK(is_refused("leg_leg_" + good_token()));
  CHECK(is_refused("LEG_" + good_token()));
}

TEST_CASE("a token has the claims and the header of the contract") {
  const std::string token = good_token();
  const auto parts = split(token, '.');
  REQUIRE(parts.size() == 3);
  CHECK(base64url_decode(parts[0]) == kHeader);
  const Json json = payload();
  CHECK(json.size() == 9);
  CHECK(json["sub"] == claims().user_uuid);
  CHECK(json["tailscale_user_id"] == "123456789");
  CHECK(json["iss"] == "legerd");
  CHECK(json["aud"] == "leger");
  CHECK(json["iat"] == kNow);
  CHECK(json["exp"] == kExpiry);
  CHECK(json["jti"] == claims().session_id);
}

TEST_CASE("the signature is that of RFC 7515, A.1, whose token is refused here") {
  const auto key =
      base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  REQUIRE(key);
  const std::string text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const std::string signature = base64url_encode(hmac_sha256(*key, text));
  CHECK(signature == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  CHECK(is_refused(text + "." + signature));
}

TEST_CASE("a token whose header is not exactly ours is refused, however well it is signed") {
  const std::string good = payload().dump();
  REQUIRE(read(signed_token(kHeader, good)));
  CHECK(read(signed_token(R"({ "kid" : "7", "typ" : "JWT", "alg" : "HS256" })", good)));  // order and blanks are free
  for (const std::string& header : {
           R"({"alg":"none","typ":"JWT","kid":"7"})"s,
           R"({"alg":"None","typ":"JWT","kid":"7"})"s,
           R"({"alg":"hs256","typ":"JWT","kid":"7"})"s,
           R"({"alg":"HS512","typ":"JWT","kid":"7"})"s,
           R"({"alg":"RS256","typ":"JWT","kid":"7"})"s,
           R"({"alg":"","typ":"JWT","kid":"7"})"s,
           R"({"alg":null,"typ":"JWT","kid":"7"})"s,
           R"({"alg":["HS256"],"typ":"JWT","kid":"7"})"s,
           R"({"typ":"JWT","kid":"7"})"s,
           R"({"alg":"HS256","kid":"7"})"s,
           R"({"alg":"HS256","typ":"JWT"})"s,
           R"({"alg":"HS256","typ":"jwt","kid":"7"})"s,
           R"({"alg":"HS256","typ":"JWS","kid":"7"})"s,
           R"({"ALG":"HS256","typ":"JWT","kid":"7"})"s,
           R"({"alg":"HS256","alg":"none","typ":"JWT","kid":"7"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","kid":"8"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","jwk":{"kty":"oct","k":"Nzc3"}})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","jku":"https://example.com/keys"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","x5u":"https://example.com/c"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","x5c":[]})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","crit":["exp"]})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","cty":"JWT"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","b64":false})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7","":""})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"6"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"8"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"07"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":" 7"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"+7"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7\u0000"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"4294967303"})"s,            // 7 in 32 bits
           R"({"alg":"HS256","typ":"JWT","kid":"18446744073709551623"})"s,  // 7 in 64 bits
           R"({"alg":"HS256","typ":"JWT","kid":""})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"../leger.kek"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":"7' OR '1'='1"})"s,
           R"({"alg":"HS256","typ":"JWT","kid":7})"s,
           R"({"alg":"HS256","typ":"JWT","kid":["7"]})"s,
           R"({"alg":"HS256","typ":"JWT","kid":null})"s,
           R"([{"alg":"HS256","typ":"JWT","kid":"7"}])"s,
           R"("HS256")"s,
           "null"s,
           "{}"s,
           ""s,
           kHeader + "x",
           kHeader.substr(0, kHeader.size() - 1),
           kHeader + '\0',
           "\xff"s,
       }) {
    INFO(header);
    CHECK(is_refused(signed_token(header, good)));
  }
}

TEST_CASE("the algorithm none without a signature is refused") {
  const std::string text =
      base64url_encode(R"({"alg":"none","typ":"JWT","kid":"7"})") + "." + base64url_encode(payload().dump());
  CHECK(is_refused(text + "."));
  CHECK(is_refused(text));
}

TEST_CASE("a token of an older key of ours is good, and of another's is not") {
  CHECK(read(sign_token(claims(), own_keys().at(8), 8).value()));
  CHECK(is_refused(sign_token(claims(), own_keys().at(8), 7).value()));
  CHECK(is_refused(sign_token(claims(), own_keys().at(7), 8).value()));
  CHECK(is_refused(sign_token(claims(), own_keys().at(7), 9).value()));
  CHECK(is_refused(sign_token(claims(), Key::random(), 7).value()));
}

TEST_CASE("each claim is required, once and of its own type") {
  const Json good = payload();
  REQUIRE(read(signed_token(kHeader, good.dump())));
  for (const auto& [name, value] : good.items()) {
    INFO(name);
    Json missing = good;
    missing.erase(name);
    CHECK(is_refused(signed_token(kHeader, missing.dump())));
    std::vector<Json> wrong{nullptr, true, Json::array({value}), Json{{"a", value}}, 1.5};
    wrong.emplace_back(value.is_string() ? Json(kExpiry) : Json(std::to_string(kExpiry)));
    if (value.is_string()) wrong.emplace_back(value.get<std::string>() + '\0');
    for (const Json& other : wrong) {
      Json changed = good;
      changed[name] = other;
      INFO(changed.dump());
      CHECK(is_refused(signed_token(kHeader, changed.dump())));
    }
    std::string twice = good.dump();
    twice.insert(1, Json(name).dump() + ":" + value.dump() + ",");
    CHECK(is_refused(signed_token(kHeader, twice)));
  }
}

TEST_CASE("claims that name nobody, another issuer or another audience are refused") {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"sub", ""},
                                                                                    {"jti", ""},
                                                                                    {"tailscale_user_id", ""},
                                                                                    {"iss", "leger"},
                                                                                    {"iss", "LEGERD"},
                                                                                    {"iss", ""},
                                                                                    {"aud", "legerd"},
                                                                                    {"aud", ""}}) {
    Json changed = payload();
    changed[name] = value;
    INFO(changed.dump());
    CHECK(is_refused(signed_token(kHeader, changed.dump())));
  }
}

TEST_CASE("numbers that are no times are refused") {
  const std::string good = payload().dump();
  for (const std::string number : {"1e12", "1790003600.0", "18446744073709551615", "9223372036854775808",
                                   "-9223372036854775809", "01790003600", "0x7fffffff", "1790003600n", "NaN"}) {
    std::string changed = good;
    changed.replace(changed.find("1790003600"), 10, number);
    INFO(changed);
    CHECK(is_refused(signed_token(kHeader, changed)));
  }
}

TEST_CASE("a payload that is no object is refused") {
  for (const std::string& text :
       {""s, "null"s, "[]"s, "\"sub\""s, "{"s, payload().dump() + "}", payload().dump() + '\0',
        "\xef\xbb\xbf" + payload().dump() + "x", "[" + payload().dump() + "]"}) {
    CHECK(is_refused(signed_token(kHeader, text)));
  }
}

TEST_CASE("a token has three parts, none of them empty") {
  const std::string token = good_token();
  const auto parts = split(token, '.');
  const std::string header(parts[0]);
  const std::string body(parts[1]);
  const std::string signature(parts[2]);
  for (const std::string& text : {""s,
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
                                  token + '\0'}) {
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
  const std::string text = base64url_encode(kHeader) + "." + standard;
  CHECK(is_refused(text + "." + base64url_encode(hmac_sha256(own_keys().at(7).reveal(), text))));
  CHECK(read(signed_token(kHeader, odd.dump())));
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
  REQUIRE(read(signed_token(kHeader, padded.dump())));
  body.back() = digits[digits.find(body.back()) + 1];
  const std::string text = base64url_encode(kHeader) + "." + body;
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
  CHECK(read(signed_token(kHeader, past.dump())).error().message == "The token has expired.");
  // An expired token of somebody else's is no more than not valid.
  const std::string foreign = sign_token(claims(), Key::random(), 7).value();
  CHECK(read_token(foreign, own_keys().lookup(), kExpiry).error().message == "This token is not valid here.");
}

TEST_CASE("a token of 4 KiB is read, and one byte more is refused") {
  Json json = payload();
  // The first size that is not less: base64 has no texts of one digit more than whole groups.
  const auto of_size = [&](std::size_t size) {
    json["email"] = "";
    while (signed_token(kHeader, json.dump()).size() < size) json["email"] = json["email"].get<std::string>() + "x";
    return signed_token(kHeader, json.dump());
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
