#pragma once

// Units over sd-bus: org.freedesktop.systemd1 of the user's manager. JobRemoved is subscribed before a job is queued,
// and jobs are told apart by their path, since jobs that were pulled in report too. Owned by main; loop thread.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/base/loop.h"
#include "systemd/bus.h"
#include "systemd/job_results.h"
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
  Task<Result<std::vector<std::string>>> instances(std::string template_file) override;
  Task<Result<std::vector<std::string>>> unit_files() override;

 private:
  // A method call at systemd; every argument is a string.
  struct Question {
    std::string path;
    std::string interface;
    std::string member;
    std::vector<std::string> arguments;
  };

  // A call without its arguments, on the connection of now.
  Result<Bus::Message> new_call(const Question& question);
  Task<Result<Bus::Message>> ask(Question question, std::uint64_t timeout_ms);
  Task<Result<void>> subscribe(std::uint64_t timeout_ms);
  Task<Result<std::string>> run_job(std::string method, std::string unit, std::uint64_t timeout_ms);
  Task<Result<void>> wait_for_reload_turn();
  void end_reload_turn();
  Task<Result<void>> read_properties(std::string path, std::string interface, UnitState& state);

  Loop& loop_;
  Bus& bus_;
  std::shared_ptr<JobResults> jobs_;  // shared with the bus's callbacks, which live longer
  std::uint64_t subscribed_on_ = 0;   // Bus::connections_made() of the connection that was subscribed
  bool reloading_ = false;
  std::deque<OneShot<bool>> waiting_reloads_;  // set to true when it is their turn
};

}  // namespace leger
