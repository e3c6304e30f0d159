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

TEST_CASE("times of HTTP") {
  CHECK(http_date(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST_CASE("the system's clock goes forward and tells the time of day") {
  const SystemClock clock;
  const auto before = clock.monotonic_ms();
  CHECK(clock.monotonic_ms() >= before);
  CHECK(clock.wall_seconds() - std::time(nullptr) <= 1);
}

}  // namespace
}  // namespace leger
