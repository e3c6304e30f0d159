#pragma once

// Time as everything in the daemon sees it: a seam, so that tests move time themselves. Any thread may ask.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leger {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds of a clock that never jumps, true to a few; only differences mean something.
  virtual std::uint64_t monotonic_ms() const = 0;
  // Milliseconds since the kernel started, those of sleep included; it never jumps either.
  virtual std::uint64_t boot_ms() const = 0;
  // Seconds since 1970-01-01 UTC.
  virtual std::int64_t wall_seconds() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::uint64_t monotonic_ms() const override;
  std::uint64_t boot_ms() const override;
  std::int64_t wall_seconds() const override;
};

// `2026-11-22T04:05:06Z`, the form of every time in the API and the store. `seconds` since 1970-01-01 UTC.
std::string rfc3339(std::int64_t seconds);

// Seconds since 1970 of a time as others write it, `2026-11-22T04:05:06.789+01:00`: a fraction is dropped, an offset
// taken away. Nothing for a day or an hour that does not exist, a leap second, or any other form.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// `Sun, 22 Nov 2026 04:05:06 GMT`, the form of HTTP's Date (RFC 9110 §5.6.7).
std::string http_date(std::int64_t seconds);

}  // namespace leger
