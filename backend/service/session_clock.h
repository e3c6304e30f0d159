#pragma once

// Time for what expires: never earlier than what is known to have passed, so that a clock set back revives no session
// (threats T12). The mark is saved each minute. It goes on with the clock of the kernel, and follows the wall clock
// only while that has run as the kernel's did since start (within 5 min), so that one jump forward cannot poison it.
// Loop thread.

#include <cstdint>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/store/sessions.h"

namespace leger {

class SessionClock {
 public:
  // Both outlive this.
  SessionClock(Loop& loop, Sessions& store);

  // Reads the saved mark; once, before anything else is asked.
  Result<void> load();
  // Seconds since 1970.
  std::int64_t now() const;
  // The same, but no later than what is known to have passed: for what must not be lost to a clock that jumps ahead.
  std::int64_t passed() const;

  // Moves the mark on and saves it; run() does so at once and then each minute until stop(). What fails is tried again
  // a minute later: the mark in memory goes on meanwhile.
  Task<Result<void>> save();
  Task<void> run();
  void stop();

 private:
  bool wall_is_steady() const;

  Loop& loop_;
  Sessions& store_;
  OneShot<bool> wake_;
  std::int64_t mark_ = 0;       // seconds since 1970
  std::uint64_t mark_boot_ms_;  // when the mark was set, by the kernel's clock
  std::int64_t start_wall_;     // both clocks at the start
  std::uint64_t start_boot_ms_;
  bool stopped_ = false;
};

}  // namespace leger
