#include "backend/base/clock.h"

#include <doctest/doctest.h>

#include <ctime>

namespace leger {
namespace {

TEST_CASE("times of the API") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(1'790'000'000) == "2026-09-21T14:13:20Z");
  CHECK(rfc3339(951'782'400) == "2000-02-29T00:00:00Z");
  CHECK(rfc3339(4'102'444'799) == "2099-12-31T23:59:59Z");
}

TEST_CASE("times of others are read as they are written, or not at all") {
  CHECK(parse_rfc3339("2026-09-21T14:13:20Z") == 1'790'000'000);
  CHECK(parse_rfc3339("2026-09-21T14:13:20.999999999Z") == 1'790'000'000);
  CHECK(parse_rfc3339("2026-09-21T16:13:20+02:00") == 1'790'000'000);
  CHECK(parse_rfc3339("2026-09-21T04:43:20.5-09:30") == 1'790'000'000);
  CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z") == 1'709'164'800);
  CHECK(parse_rfc3339("0001-01-01T00:00:00Z") == -62'135'596'800);
  for (const char* odd : {"",
                          "2026",
                          "2026-09-21",
                          "2026-09-21T14:13:20",
                          "2026-09-21 14:13:20Z",
                          "2026-09-21t14:13:20Z",
                          "2026-09-21T14:13:20z",
                          "2026-09-21T14:13:20Z ",
                          " 2026-09-21T14:13:20Z",
                          "2026-13-21T14:13:20Z",
                          "2026-00-21T14:13:20Z",
                          "2026-02-29T14:13:20Z",
                          "2026-09-31T14:13:20Z",
                          "2026-09-00T14:13:20Z",
                          "2026-09-21T24:00:00Z",
                          "2026-09-21T14:60:20Z",
                          "2026-09-21T14:13:60Z",
                          "2026-09-21T14:13:20.Z",
                          "2026-09-21T14:13:20+2:00",
                          "2026-09-21T14:13:20+24:00",
                          "2026-09-21T14:13:20+02:60",
                          "2026-09-21T14:13:20+0200",
                          "2026-9-21T14:13:20Z",
                          "+026-09-21T14:13:20Z",
                          "26-09-21T14:13:20Z",
                          "20260921T141320Z"}) {
    CAPTURE(odd);
    CHECK(!parse_rfc3339(odd));
  }
}

TEST_CASE("times of HTTP") {
  CHECK(http_date(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST_CASE("the system's clock goes forward and tells the time of day") {
  const SystemClock clock;
  const auto before = clock.monotonic_ms();
  CHECK(clock.monotonic_ms() >= before);
  const auto since_boot = clock.boot_ms();
  CHECK(clock.boot_ms() >= since_boot);
  // What it counts beyond the monotonic clock is sleep.
  CHECK(clock.boot_ms() + 1 >= before);
  CHECK(clock.wall_seconds() - std::time(nullptr) <= 1);
}

}  // namespace
}  // namespace leger
