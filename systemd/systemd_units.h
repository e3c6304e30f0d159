#pragma once

// Units over sd-bus: org.freedesktop.systemd1 of the user's manager. JobRemoved is subscribed before a job is queued, and
// jobs are told apart by their path, since jobs that were pulled in report too. Loop thread.

#include <map>
#include <string>
#include <vector>

#include "backend/base/loop.h"
#include "systemd/bus.h"
#include "systemd/units.h"

namespace leger {

class SystemdUnits final : public Units {
 public:
  // Both outlive this.
  SystemdUnits(Loop& loop, Bus& bus);
  Task<Result<void>> reload() override;
  Task<Result<std::string>> start(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<std::string>> stop(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<std::string>> restart(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<void>> reset_failed(std::string unit) override;
  Task<Result<UnitState>> state(std::string unit) override;
  Task<Result<std::vector<std::string>>> unit_files() override;

 private:
  Loop& loop_;
  Bus& bus_;
};

}  // namespace leger
