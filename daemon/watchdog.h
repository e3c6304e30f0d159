#pragma once

// The self-check: the loop turns, the store answers on both of its connections. Its outcome is what the service
// manager's watchdog and /health hear. Owned by the daemon; loop thread.

#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/store/database.h"

namespace leger {

class Watchdog {
 public:
  // Both outlive this.
  Watchdog(Loop& loop, const Log& log, Database& database) : loop_(loop), log_(log), database_(database), wake_(loop) {}

  // True while the last check failed.
  const bool& is_degraded() const { return degraded_; }

  // One check; tells the service manager that we live when the store answered within its deadline, well or ill: a full
  // disk is no reason to be killed, a hang is.
  Task<void> check();

  // Checks until stop(): at half the manager's interval, every 10 s where it does not watch.
  Task<void> run();
  void stop();

 private:
  Loop& loop_;
  const Log& log_;
  Database& database_;
  OneShot<bool> wake_;
  bool degraded_ = false;
  bool stopped_ = false;
};

}  // namespace leger
