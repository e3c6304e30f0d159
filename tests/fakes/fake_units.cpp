#include "tests/fakes/fake_units.h"

#include <utility>

namespace leger::test {
namespace {

void make_active(UnitState& state, std::int64_t now) {
  state.active_state = "active";
  state.sub_state = "running";
  state.result = "success";
  state.active_since = now;
}

void make_inactive(UnitState& state, const char* active_state, const char* sub_state, const char* result) {
  state.active_state = active_state;
  state.sub_state = sub_state;
  state.result = result;
  state.active_since.reset();
}

}  // namespace

void FakeUnits::add(const std::string& unit, const std::string& source_path) {
  UnitState state;
  state.name = unit;
  state.load_state = "loaded";
  state.source_path = source_path;
  make_inactive(state, "inactive", "dead", "success");
  units_.insert_or_assign(unit, std::move(state));
}

FakeUnits::Job FakeUnits::job_of(const std::string& unit) const {
  const auto found = jobs_.find(unit);
  return found == jobs_.end() ? Job::done : found->second;
}

Task<Result<void>> FakeUnits::reload() {
  calls_.emplace_back("reload");
  if (!broken_.message.empty()) co_return Fail(broken_);
  co_await sleep_for(loop_, 0);  // as the real one, it answers in a later turn of the loop
  if (reload_failures_ > 0) {
    --reload_failures_;
    co_return Fail({Code::upstream_failed, "systemd does not reload.", "See what systemctl --user status says.", {}});
  }
  if (generator_) generator_(*this);
  co_return Result<void>{};
}

Task<Result<std::string>> FakeUnits::run_job(std::string verb, std::string unit, std::uint64_t timeout_ms) {
  calls_.push_back(verb + " " + unit);
  if (!broken_.message.empty()) co_return Fail(broken_);
  const Job job = job_of(unit);
  co_await sleep_for(loop_, job == Job::hung ? timeout_ms : 0);
  const auto found = units_.find(unit);
  if (found == units_.end()) {
    co_return Fail({Code::service_not_found, "systemd knows no unit " + unit + ".", "Name another.", {}});
  }
  if (job == Job::hung) {
    co_return Fail(
        {Code::upstream_failed, "Unit " + unit + ": the job has not ended in time.", "Look at its log.", {}});
  }
  if (job == Job::dependency) co_return std::string("dependency");
  if (job == Job::failed) {
    make_inactive(found->second, "failed", "failed", "exit-code");
    co_return std::string("failed");
  }
  if (verb == "stop") {
    make_inactive(found->second, "inactive", "dead", "success");
  } else {
    make_active(found->second, loop_.clock().wall_seconds());
  }
  co_return std::string("done");
}

Task<Result<std::string>> FakeUnits::start(std::string unit, std::uint64_t timeout_ms) {
  return run_job("start", std::move(unit), timeout_ms);
}

Task<Result<std::string>> FakeUnits::stop(std::string unit, std::uint64_t timeout_ms) {
  return run_job("stop", std::move(unit), timeout_ms);
}

Task<Result<std::string>> FakeUnits::restart(std::string unit, std::uint64_t timeout_ms) {
  return run_job("restart", std::move(unit), timeout_ms);
}

Task<Result<void>> FakeUnits::reset_failed(std::string unit) {
  calls_.push_back("reset_failed " + unit);
  if (!broken_.message.empty()) co_return Fail(broken_);
  const auto found = units_.find(unit);
  if (found != units_.end() && found->second.active_state == "failed") {
    make_inactive(found->second, "inactive", "dead", "success");
  }
  co_return Result<void>{};
}

Task<Result<UnitState>> FakeUnits::state(std::string unit) {
  if (!broken_.message.empty()) co_return Fail(broken_);
  const auto found = units_.find(unit);
  if (found == units_.end()) {
    UnitState absent;
    absent.name = unit;
    absent.load_state = "not-found";
    make_inactive(absent, "inactive", "dead", "");
    co_return absent;
  }
  if (job_of(unit) == Job::crash_loop && found->second.active_state == "active") ++found->second.restarts;
  co_return found->second;
}

Task<Result<std::vector<std::string>>> FakeUnits::instances(std::string template_file) {
  if (!broken_.message.empty()) co_return Fail(broken_);
  const std::size_t at = template_file.find('@') + 1;
  std::vector<std::string> names;
  for (const auto& [name, state] : units_) {
    const bool is_longer = name.size() > template_file.size();
    if (is_longer && name.starts_with(template_file.substr(0, at)) && name.ends_with(template_file.substr(at))) {
      names.push_back(name);
    }
  }
  co_return names;
}

Task<Result<std::vector<std::string>>> FakeUnits::unit_files() {
  if (!broken_.message.empty()) co_return Fail(broken_);
  std::vector<std::string> names;
  names.reserve(units_.size());
  for (const auto& [name, state] : units_) names.push_back(name);
  co_return names;
}

}  // namespace leger::test
