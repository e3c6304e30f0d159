#include "backend/service/session_clock.h"

#include <algorithm>
#include <cstdlib>

namespace leger {
namespace {

constexpr std::uint64_t kIntervalMs = 60'000;
constexpr std::int64_t kToleratedSeconds = 300;

std::int64_t seconds_between(std::uint64_t earlier_ms, std::uint64_t later_ms) {
  return static_cast<std::int64_t>((later_ms - earlier_ms) / 1000);
}

}  // namespace

SessionClock::SessionClock(Loop& loop, Sessions& store)
    : loop_(loop),
      store_(store),
      wake_(loop),
      mark_boot_ms_(loop.clock().boot_ms()),
      start_wall_(loop.clock().wall_seconds()),
      start_boot_ms_(mark_boot_ms_) {}

Result<void> SessionClock::load() {
  const auto saved = store_.time_mark();
  if (!saved) return Fail(saved.error());
  // The wall clock of the start is taken for true: there is no other to hold it against.
  mark_ = std::max(*saved, start_wall_);
  return {};
}

// The mark, and what the kernel's clock has counted since it was set: so much has passed, whatever the wall clock says.
std::int64_t SessionClock::passed() const { return mark_ + seconds_between(mark_boot_ms_, loop_.clock().boot_ms()); }

bool SessionClock::wall_is_steady() const {
  const std::int64_t by_wall = loop_.clock().wall_seconds() - start_wall_;
  return std::abs(by_wall - seconds_between(start_boot_ms_, loop_.clock().boot_ms())) <= kToleratedSeconds;
}

std::int64_t SessionClock::now() const { return std::max(loop_.clock().wall_seconds(), passed()); }

Task<Result<void>> SessionClock::save() {
  const std::int64_t wall = loop_.clock().wall_seconds();
  // Set anew only where it moves ahead: each time a part of a second is lost.
  if (wall > passed() && wall_is_steady()) {
    mark_ = wall;
    mark_boot_ms_ = loop_.clock().boot_ms();
  }
  return store_.set_time_mark(passed());
}

Task<void> SessionClock::run() {
  Timer timer(loop_.timers(), [this] { wake_.set(true); });
  while (!stopped_) {
    wake_ = OneShot<bool>(loop_);
    // A store that cannot be written is the self-check's to report.
    [[maybe_unused]] const auto saved = co_await save();
    timer.set_in(kIntervalMs);
    co_await wake_;
  }
}

void SessionClock::stop() {
  stopped_ = true;
  wake_.set(true);
}

}  // namespace leger
