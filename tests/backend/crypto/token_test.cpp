#include "backend/crypto/token.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "tests/backend/crypto/own_tokens.h"

using namespace leger;
using namespace leger::test;
using namespace std::string_literals;

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
  CHECK(base64url_decode(parts[0]) == own_header());
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
  REQUIRE(read(signed_token(own_header(), good)));
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
           own_header() + "x",
           own_header().substr(0, own_header().size() - 1),
           own_header() + '\0',
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
  REQUIRE(read(signed_token(own_header(), good.dump())));
  for (const auto& [name, value] : good.items()) {
    INFO(name);
    Json missing = good;
    missing.erase(name);
    CHECK(is_refused(signed_token(own_header(), missing.dump())));
    std::vector<Json> wrong{nullptr, true, Json::array({value}), Json{{"a", value}}, 1.5};
    wrong.emplace_back(value.is_string() ? Json(kExpiry) : Json(std::to_string(kExpiry)));
    if (value.is_string()) wrong.emplace_back(value.get<std::string>() + '\0');
    for (const Json& other : wrong) {
      Json changed = good;
      changed[name] = other;
      INFO(changed.dump());
      CHECK(is_refused(signed_token(own_header(), changed.dump())));
    }
    std::string twice = good.dump();
    twice.insert(1, Json(name).dump() + ":" + value.dump() + ",");
    CHECK(is_refused(signed_token(own_header(), twice)));
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
    CHECK(is_refused(signed_token(own_header(), changed.dump())));
  }
}

TEST_CASE("numbers that are no times are refused") {
  const std::string good = payload().dump();
  for (const std::string number : {"1e12", "1790003600.0", "18446744073709551615", "9223372036854775808",
                                   "-9223372036854775809", "01790003600", "0x7fffffff", "1790003600n", "NaN"}) {
    std::string changed = good;
    changed.replace(changed.find("1790003600"), 10, number);
    INFO(changed);
    CHECK(is_refused(signed_token(own_header(), changed)));
  }
}

TEST_CASE("a payload that is no object is refused") {
  for (const std::string& text :
       {""s, "null"s, "[]"s, "\"sub\""s, "{"s, payload().dump() + "}", payload().dump() + '\0',
        "\xef\xbb\xbf" + payload().dump() + "x", "[" + payload().dump() + "]"}) {
    CHECK(is_refused(signed_token(own_header(), text)));
  }
}
