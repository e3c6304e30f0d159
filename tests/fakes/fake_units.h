#pragma once

// Units in memory, for tests of what stands on them: keeps states, writes down what it was asked, and goes wrong as it
// is told to. Owned by the test; loop thread.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backend/base/loop.h"
#include "systemd/units.h"

namespace leger::test {

class FakeUnits final : public Units {
 public:
  // What becomes of the jobs of a unit.
  enum class Job {
    done,        // the state is what was asked for
    failed,      // the job and the unit fail
    dependency,  // a unit that it needs failed; it stays as it was
    hung,        // the job does not end: upstream_failed after the caller's time on the loop's clock
    crash_loop,  // the job is done, and each look at the state finds one restart more
  };

  // `loop` outlives this.
  explicit FakeUnits(Loop& loop) : loop_(loop) {}

  // Makes systemd know a unit: loaded, inactive. `source_path` as a generated unit has it.
  void add(const std::string& unit, const std::string& source_path = {});
  // Makes systemd forget a unit.
  void remove(const std::string& unit) { units_.erase(unit); }
  // The state of a known unit, to be looked at or changed.
  UnitState& at(const std::string& unit) { return units_.at(unit); }
  bool knows(const std::string& unit) const { return units_.contains(unit); }

  void set_job(const std::string& unit, Job job) { jobs_[unit] = job; }
  // From now on every call fails with this, as without a bus; an empty message: no more.
  void set_broken(Error error) { broken_ = std::move(error); }
  // Runs in each reload, as generators do: adds and removes units.
  void set_generator(std::function<void(FakeUnits&)> generator) { generator_ = std::move(generator); }
  // The next reloads fail.
  void set_reload_failures(int count) { reload_failures_ = count; }

  // `reload`, `start app.service`, `stop …`, `restart …`, `reset_failed …`, in order; questions are not written down.
  const std::vector<std::string>& calls() const { return calls_; }
  void forget_calls() { calls_.clear(); }

  Task<Result<void>> reload() override;
  Task<Result<std::string>> start(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<std::string>> stop(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<std::string>> restart(std::string unit, std::uint64_t timeout_ms) override;
  Task<Result<void>> reset_failed(std::string unit) override;
  Task<Result<UnitState>> state(std::string unit) override;
  Task<Result<std::vector<std::string>>> instances(std::string template_file) override;
  Task<Result<std::vector<std::string>>> unit_files() override;

 private:
  Job job_of(const std::string& unit) const;
  Task<Result<std::string>> run_job(std::string verb, std::string unit, std::uint64_t timeout_ms);

  Loop& loop_;
  std::map<std::string, UnitState> units_;
  std::map<std::string, Job> jobs_;
  Error broken_;
  std::function<void(FakeUnits&)> generator_;
  int reload_failures_ = 0;
  std::vector<std::string> calls_;
};

}  // namespace leger::test
