#pragma once

// Deadlines on the loop's clock. A Timer that is moved to a later time costs a store, not a heap operation: it is
// looked at when its earlier time comes, which is what connections need, that push a deadline forward at every request.
// Loop thread only.

#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>

#include "backend/base/clock.h"

namespace leger {

class Timer;

class Timers {
 public:
  Timers(uv_loop_t* loop, const Clock& clock);
  ~Timers() = default;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  std::uint64_t now_ms() const { return clock_.monotonic_ms(); }

  // Runs what is due; the loop does so by itself, a test does it after moving its clock.
  void run_due();
  // Closes the libuv handle; the last call.
  void close();

 private:
  friend class Timer;
  using Queue = std::multimap<std::uint64_t, Timer*>;
  static constexpr std::uint64_t kNextTurnMs = 1;
  void wake_for_earliest(std::uint64_t least_delay_ms);

  const Clock& clock_;
  uv_timer_t wake_{};
  std::uint64_t wake_at_ = UINT64_MAX;
  Queue queue_;
};

// One deadline, owned by whoever waits for it; destroying it forgets it.
class Timer {
 public:
  // `timers` outlives the timer; `on_due` may set the timer again, or destroy it.
  Timer(Timers& timers, std::function<void()> on_due);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Due once, at `at_ms` of the monotonic clock; replaces an earlier setting.
  void set_at(std::uint64_t at_ms);
  // Never where the sum is beyond the clock's end.
  void set_in(std::uint64_t milliseconds) {
    set_at(timers_.now_ms() + std::min(milliseconds, kNever - timers_.now_ms()));
  }
  void clear() { due_ms_ = kNever; }
  bool is_set() const { return due_ms_ != kNever; }

 private:
  friend class Timers;
  static constexpr std::uint64_t kNever = UINT64_MAX;
  void queue_at(std::uint64_t at_ms);

  Timers& timers_;
  std::function<void()> on_due_;
  std::uint64_t due_ms_ = kNever;
  Timers::Queue::iterator queued_;
  bool is_queued_ = false;
};

}  // namespace leger
