#include "daemon/rate_limits.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "tests/support.h"

namespace leger::test {
namespace {

// How many of `tries` are let through.
int taken(RateLimits& limits, RateLimits::Budget& budget, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limits.take_request(budget) ? 1 : 0;
  return count;
}

constexpr Limits kSmall{.requests_per_second = 10,
                        .request_burst = 20,
                        .sign_ins_per_minute = 3,
                        .uploads_per_minute = 6,
                        .connections_per_peer = 64,
                        .connections = 1024};

}  // namespace

TEST_CASE("a burst is served, then what comes in at the rate") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  const auto budget = limits.budget_of("a");
  CHECK(taken(limits, *budget, 30) == 20);
  clock.advance(1'000);
  CHECK(taken(limits, *budget, 30) == 10);
  clock.advance(99);
  CHECK(taken(limits, *budget, 1) == 0);
  clock.advance(1);
  CHECK(taken(limits, *budget, 2) == 1);
  clock.advance(3'600'000);
  CHECK(taken(limits, *budget, 30) == 20);
}

TEST_CASE("a refusal says in how many whole seconds there is room again") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  const auto budget = limits.budget_of("a");
  for (int i = 0; i < 3; ++i) CHECK(limits.take_sign_in(*budget));
  const auto refused = limits.take_sign_in(*budget);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::rate_limit_exceeded);
  CHECK(refused.error().details == R"({"retry_after":20})");
  CHECK(refused.error().action == "Try again in 20 s.");
  clock.advance(20'000);
  CHECK(limits.take_sign_in(*budget));
  CHECK_FALSE(limits.take_sign_in(*budget));
}

TEST_CASE("one identity's budget is another's business in nothing, and shared by its connections") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  CHECK(taken(limits, *limits.budget_of("a"), 30) == 20);
  CHECK(taken(limits, *limits.budget_of("a"), 30) == 0);
  CHECK(taken(limits, *limits.budget_of("b"), 30) == 20);
}

TEST_CASE("requests, sign-ins and uploads are counted apart") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  const auto budget = limits.budget_of("a");
  CHECK(taken(limits, *budget, 30) == 20);
  CHECK(limits.take_sign_in(*budget));
  CHECK(limits.begin_upload(budget));
}

TEST_CASE("four uploads are under way at once, and a minute has its number") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  const auto budget = limits.budget_of("a");
  {
    std::vector<RateLimits::Upload> under_way;
    for (int i = 0; i < 4; ++i) {
      auto begun = limits.begin_upload(budget);
      REQUIRE(begun);
      under_way.push_back(std::move(*begun));
    }
    const auto fifth = limits.begin_upload(budget);
    REQUIRE_FALSE(fifth);
    CHECK(fifth.error().code == Code::rate_limit_exceeded);
  }
  CHECK(limits.begin_upload(budget));
  CHECK(limits.begin_upload(budget));
  CHECK_FALSE(limits.begin_upload(budget));
  clock.advance(10'000);
  CHECK(limits.begin_upload(budget));
}

TEST_CASE("a limit of 0 is none") {
  FakeClock clock;
  RateLimits limits(clock, Limits{0, 0, 0, 0, 0, 0});
  const auto budget = limits.budget_of("a");
  CHECK(taken(limits, *budget, 10'000) == 10'000);
  std::vector<RateLimits::Upload> under_way;
  for (int i = 0; i < 100; ++i) {
    CHECK(limits.take_sign_in(*budget));
    auto begun = limits.begin_upload(budget);
    REQUIRE(begun);
    under_way.push_back(std::move(*begun));
  }
}

TEST_CASE("a burst below the rate of a second is no trap") {
  FakeClock clock;
  RateLimits limits(clock, {.requests_per_second = 10, .request_burst = 0});
  CHECK(taken(limits, *limits.budget_of("a"), 30) == 10);
}

TEST_CASE("budgets that have filled up again are forgotten, used ones are not") {
  FakeClock clock;
  RateLimits limits(clock, kSmall);
  CHECK(taken(limits, *limits.budget_of("kept"), 30) == 20);
  for (int i = 0; i < 100'000; ++i) limits.budget_of("peer " + std::to_string(i));
  CHECK(limits.budgets() <= 2 * 1024);
  CHECK(taken(limits, *limits.budget_of("kept"), 30) == 0);
}

}  // namespace leger::test
