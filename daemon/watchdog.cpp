#include "daemon/watchdog.h"

#include <algorithm>

#include "systemd/notify.h"

namespace leger {
namespace {

constexpr std::uint64_t kIntervalMs = 10'000;

}  // namespace

Task<void> Watchdog::check() {
  const auto checked = co_await database_.check();
  if (!checked && !degraded_) log_.error("the store cannot be used", {{"WHY", checked.error().message}});
  if (checked && degraded_) log_.info("the store can be used again");
  degraded_ = !checked;
  notify_watchdog();
}

Task<void> Watchdog::run() {
  const std::uint64_t interval = std::min(kIntervalMs, watchdog_interval_ms().value_or(kIntervalMs) / 2);
  Timer timer(loop_.timers(), [this] { wake_.set(true); });
  while (!stopped_) {
    wake_ = OneShot<bool>(loop_);
    timer.set_in(interval);
    co_await wake_;
    if (!stopped_) co_await check();
  }
}

void Watchdog::stop() {
  stopped_ = true;
  wake_.set(true);
}

}  // namespace leger
