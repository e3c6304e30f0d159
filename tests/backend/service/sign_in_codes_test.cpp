#include "backend/service/sign_in_codes.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "tests/support.h"

namespace leger {
namespace {

// RFC 7636, appendix B.
const std::string kVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const std::string kChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

CodeGrant grant(const std::string& user = "alice") { return {.user_uuid = user, .binding = "local"}; }

// The reason of a refusal; "good" where there is none.
std::string outcome(const Result<CodeGrant>& redeemed) {
  if (redeemed) return "good";
  CHECK(redeemed.error().code == Code::invalid_token);
  CHECK(redeemed.error().action == "Begin again: leger login");
  const auto details = parse_json(redeemed.error().details);
  REQUIRE(details);
  return text_field(*details, "reason").value_or("none");
}

}  // namespace

TEST_CASE("A code is redeemed with its verifier, and says what it stands for") {
  const test::FakeClock clock;
  SignInCodes codes(clock);
  const auto code = codes.issue({.user_uuid = "alice", .binding = "tailnet:7"}, kChallenge);
  REQUIRE(code);
  const auto redeemed = codes.redeem(*code, kVerifier);
  REQUIRE(redeemed);
  CHECK(redeemed->user_uuid == "alice");
  CHECK(redeemed->binding == "tailnet:7");
}

TEST_CASE("A code is twelve letters and digits that are not mistaken for one another, all of them, and never twice") {
  test::FakeClock clock;
  SignInCodes codes(clock);
  std::set<std::string> seen;
  std::map<char, int> times;
  for (int i = 0; i < 5000; ++i) {
    const std::string code = codes.issue(grant(std::to_string(i)), kChallenge).value();
    REQUIRE(code.size() == 14);
    REQUIRE(code[4] == '-');
    REQUIRE(code[9] == '-');
    for (const char c : code) ++times[c];
    seen.insert(code);
    clock.advance(100);
  }
  CHECK(seen.size() == 5000);
  times.erase('-');
  CHECK(times.size() == 31);
  for (const char c : std::string("01OIL")) CHECK(times.count(c) == 0);
  // 60 000 characters of 31 kinds: 1935 of each, with a deviation of 43.
  for (const auto& [c, count] : times) {
    CAPTURE(c);
    CHECK(count > 1600);
    CHECK(count < 2300);
  }
}

TEST_CASE("Case and dashes of a code do not matter, anything else does") {
  const test::FakeClock clock;
  SignInCodes codes(clock);
  const auto redeem_as = [&](auto&& typed) {
    const std::string code = codes.issue(grant(), kChallenge).value();
    return outcome(codes.redeem(typed(code), kVerifier));
  };
  CHECK(redeem_as([](const std::string& code) { return ascii_lower(code); }) == "good");
  CHECK(redeem_as([](std::string code) {
          std::erase(code, '-');
          return code;
        }) == "good");
  CHECK(redeem_as([](const std::string& code) { return "--" + code + "-"; }) == "good");
  CHECK(redeem_as([](const std::string& code) { return code + "A"; }) == "used");
  CHECK(redeem_as([](const std::string& code) { return code.substr(1); }) == "used");
  CHECK(redeem_as([](const std::string& code) { return " " + code; }) == "used");
  CHECK(redeem_as([](const std::string& code) { return code + '\0'; }) == "used");
}

TEST_CASE("A code is used up by its first try, whatever came of it") {
  test::FakeClock clock;
  SignInCodes codes(clock);
  SUBCASE("redeemed") {
    const std::string code = codes.issue(grant(), kChallenge).value();
    CHECK(outcome(codes.redeem(code, kVerifier)) == "good");
    CHECK(outcome(codes.redeem(code, kVerifier)) == "used");
  }
  SUBCASE("another verifier") {
    const std::string code = codes.issue(grant(), kChallenge).value();
    CHECK(outcome(codes.redeem(code, std::string(43, 'a'))) == "verifier");
    CHECK(outcome(codes.redeem(code, kVerifier)) == "used");
  }
  SUBCASE("too late") {
    const std::string code = codes.issue(grant(), kChallenge).value();
    clock.advance(60'000);
    CHECK(outcome(codes.redeem(code, kVerifier)) == "expired");
    CHECK(outcome(codes.redeem(code, kVerifier)) == "used");
  }
}

TEST_CASE("A code that never was is answered as one that was used") {
  const test::FakeClock clock;
  SignInCodes codes(clock);
  for (const std::string& code : {std::string(), std::string("-"), std::string("AAAA-AAAA-AAAA"), std::string("\0", 1),
                                  std::string("☃"), std::string(100'000, 'A')}) {
    CHECK(outcome(codes.redeem(code, kVerifier)) == "used");
  }
}

TEST_CASE("A code is good for sixty seconds of a clock that nobody sets, and says later that it has expired") {
  test::FakeClock clock;
  SignInCodes codes(clock);
  const std::string in_time = codes.issue(grant(), kChallenge).value();
  const std::string late = codes.issue(grant(), kChallenge).value();
  clock.advance(59'999);
  clock.set_wall(clock.wall_seconds() + 1'000'000);
  CHECK(outcome(codes.redeem(in_time, kVerifier)) == "good");
  clock.set_wall(0);
  clock.advance(1);
  REQUIRE(codes.issue(grant(), kChallenge));  // does not make it unknown
  CHECK(outcome(codes.redeem(late, kVerifier)) == "expired");
}

TEST_CASE("Only the verifier of the challenge redeems, and only one of RFC 7636") {
  const test::FakeClock clock;
  SignInCodes codes(clock);
  const auto with = [&](const std::string& verifier, const std::string& challenge) {
    return outcome(codes.redeem(codes.issue(grant(), challenge).value(), verifier));
  };
  for (const std::string& verifier :
       {std::string(), kVerifier.substr(1), kVerifier + "a", kChallenge, kVerifier + '\0', ascii_lower(kVerifier)}) {
    CHECK(with(verifier, kChallenge) == "verifier");
  }
  for (std::size_t i = 0; i < kVerifier.size(); ++i) {
    std::string other = kVerifier;
    other[i] = other[i] == 'x' ? 'y' : 'x';
    CHECK(with(other, kChallenge) == "verifier");
  }
  // Their hashes are right; they are no verifiers.
  CHECK(with(std::string(42, 'a'), "elOGB_2quSlplZKfRRVlu7gULhhEEXMiqv0rPXawGv8") == "verifier");
  CHECK(with(std::string(42, 'a') + "+", "iwXbWFm6ct1JDeJlZO8FYEXe0UbbNRVyu6etiydm5O8") == "verifier");
  CHECK(with(std::string(129, 'a'), "wSywJKLlVRzKDgj86PHF4xRVXMP-9jKe6ZSj23UhZq4") == "verifier");
  CHECK(with(std::string(128, 'a'), "aDbPE7rEAOkQUHHNavRwhN-srU5eMCyUv-0k4BOvtz4") == "good");
  CHECK(with(std::string(39, 'a') + "-._~", "UheydNW_E50xRNt6bNVTvx16_Is-_AprG6g5oV1I3fo") == "good");
}

TEST_CASE("What is no challenge gets no code") {
  const test::FakeClock clock;
  SignInCodes codes(clock);
  for (const std::string& challenge :
       {std::string(), kChallenge.substr(1), kChallenge + "A", kChallenge + "=", kChallenge.substr(0, 42) + "=",
        kChallenge.substr(0, 42) + "+", kChallenge.substr(0, 42) + "N", std::string(43, '\0'),
        std::string(1 << 20, 'A')}) {
    const auto code = codes.issue(grant(), challenge);
    REQUIRE_FALSE(code);
    CHECK(code.error().code == Code::invalid_request);
    CHECK_FALSE(code.error().action.empty());
  }
}

TEST_CASE("Twenty codes of a user are open at once, and others do not suffer from it") {
  test::FakeClock clock;
  SignInCodes codes(clock);
  std::vector<std::string> open;
  for (int i = 0; i < 20; ++i) open.push_back(codes.issue(grant(), kChallenge).value());
  const auto one_more = codes.issue(grant(), kChallenge);
  REQUIRE_FALSE(one_more);
  CHECK(one_more.error().code == Code::rate_limit_exceeded);
  CHECK_FALSE(one_more.error().action.empty());
  CHECK(codes.issue(grant("bob"), kChallenge));
  CHECK(outcome(codes.redeem(open[7], kVerifier)) == "good");
  CHECK(codes.issue(grant(), kChallenge));
  CHECK_FALSE(codes.issue(grant(), kChallenge));
  clock.advance(60'000);
  for (int i = 0; i < 20; ++i) CHECK(codes.issue(grant(), kChallenge));
  CHECK_FALSE(codes.issue(grant(), kChallenge));
}

TEST_CASE("A thousand codes are open at once, and expired ones make room") {
  test::FakeClock clock;
  SignInCodes codes(clock);
  const std::string first = codes.issue(grant("first"), kChallenge).value();
  for (int i = 1; i < 1000; ++i) REQUIRE(codes.issue(grant(std::to_string(i)), kChallenge));
  const auto one_more = codes.issue(grant("late"), kChallenge);
  REQUIRE_FALSE(one_more);
  CHECK(one_more.error().code == Code::rate_limit_exceeded);
  CHECK(outcome(codes.redeem(first, kVerifier)) == "good");
  CHECK(codes.issue(grant("late"), kChallenge));
  clock.advance(60'000);
  for (int i = 0; i < 1000; ++i) REQUIRE(codes.issue(grant(std::to_string(i)), kChallenge));
  CHECK_FALSE(codes.issue(grant("late"), kChallenge));
}

}  // namespace leger
