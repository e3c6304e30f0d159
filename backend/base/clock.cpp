#include "backend/base/clock.h"

#include <array>
#include <chrono>
#include <ctime>

namespace leger {

std::uint64_t SystemClock::monotonic_ms() const {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count());
}

std::int64_t SystemClock::wall_seconds() const { return std::time(nullptr); }

namespace {

std::string formatted(std::int64_t seconds, const char* format) {
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), format, &utc);
  return {text.data(), length};
}

}  // namespace

std::string rfc3339(std::int64_t seconds) { return formatted(seconds, "%Y-%m-%dT%H:%M:%SZ"); }

std::string http_date(std::int64_t seconds) { return formatted(seconds, "%a, %d %b %Y %H:%M:%S GMT"); }

}  // namespace leger
