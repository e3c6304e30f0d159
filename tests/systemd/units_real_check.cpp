// Checks SystemdUnits against the real systemd of whoever runs it, with throw-away units in ~/.config/systemd/user. Not
// a unit test: it is run as an ordinary user on a test host. Prints what it saw; exit 1 when something was wrong.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "systemd/bus.h"
#include "systemd/systemd_units.h"
#include "tests/support.h"

namespace {

using leger::Result;

constexpr std::uint64_t kJobMs = 10'000;

class Check {
 public:
  void that(bool holds, const std::string& what) {
    std::cout << (holds ? "ok    " : "WRONG ") << what << std::endl;
    failures_ += holds ? 0 : 1;
  }
  template <class T>
  void fails(const Result<T>& result, leger::Code code, const std::string& what) {
    that(!result && result.error().code == code, what + (result ? "" : ": " + result.error().message));
  }
  void job(const Result<std::string>& result, const std::string& expected, const std::string& what) {
    that(result && *result == expected, what + ": " + (result ? *result : result.error().message));
  }
  int failures() const { return failures_; }

 private:
  int failures_ = 0;
};

// Unit files that are there as long as this is.
class UnitFiles {
 public:
  UnitFiles() { std::filesystem::create_directories(folder_); }
  UnitFiles(const UnitFiles&) = delete;
  UnitFiles& operator=(const UnitFiles&) = delete;
  ~UnitFiles() {
    std::error_code ignored;
    for (const auto& path : paths_) std::filesystem::remove(path, ignored);
  }
  void write(const std::string& name, const std::string& text) {
    paths_.push_back(folder_ / name);
    std::ofstream(paths_.back()) << text;
  }

 private:
  std::filesystem::path folder_ = std::filesystem::path(std::getenv("HOME")) / ".config/systemd/user";
  std::vector<std::filesystem::path> paths_;
};

std::string service(const std::string& lines) { return "[Service]\n" + lines + "\n"; }

void write_all(UnitFiles& files) {
  files.write("leger-check-pulled.service", service("Type=oneshot\nExecStart=/bin/true"));
  files.write("leger-check.service", "[Unit]\nWants=leger-check-pulled.service\nAfter=leger-check-pulled.service\n" +
                                         service("ExecStart=/bin/sleep 1000"));
  files.write("leger-check-x\\x2dy@.service", service("ExecStart=/bin/sleep 1000"));
  files.write("leger-check-fails.service", service("Type=oneshot\nExecStart=/bin/false"));
  files.write("leger-check-needs.service",
              "[Unit]\nRequires=leger-check-fails.service\nAfter=leger-check-fails.service\n" +
                  service("ExecStart=/bin/sleep 1000"));
  files.write("leger-check-slow.service", service("Type=oneshot\nExecStart=/bin/sleep 1000"));
  files.write("leger-check-loops.service", service("ExecStart=/bin/false\nRestart=always\nRestartSec=100ms"));
}

void check_jobs(Check& check, leger::Loop& loop, leger::SystemdUnits& units) {
  using leger::test::run;
  check.job(run(loop, units.start("leger-check.service", kJobMs)), "done", "start, with a unit pulled in");
  auto state = run(loop, units.state("leger-check.service"));
  check.that(state && state->active_state == "active" && state->sub_state == "running" && state->active_since &&
                 state->result == "success" && state->load_state == "loaded" && state->name == "leger-check.service",
             "its state is active (running) since a time");
  check.job(run(loop, units.start("leger-check.service", kJobMs)), "done", "start of what runs");
  check.job(run(loop, units.restart("leger-check.service", kJobMs)), "done", "restart");
  check.job(run(loop, units.stop("leger-check.service", kJobMs)), "done", "stop");
  state = run(loop, units.state("leger-check.service"));
  check.that(state && state->active_state == "inactive" && !state->active_since, "its state is inactive");
  check.job(run(loop, units.start("leger-check-fails.service", kJobMs)), "failed", "start of what fails");
  state = run(loop, units.state("leger-check-fails.service"));
  check.that(state && state->active_state == "failed" && state->result == "exit-code", "its state is failed");
  check.that(run(loop, units.reset_failed("leger-check-fails.service")).has_value(), "reset_failed");
  state = run(loop, units.state("leger-check-fails.service"));
  check.that(state && state->active_state == "inactive", "its failure is forgotten");
  check.job(run(loop, units.start("leger-check-needs.service", kJobMs)), "dependency", "start of what needs it");
  check.fails(run(loop, units.start("leger-check-slow.service", 300)), leger::Code::upstream_failed, "a hung job");
  check.job(run(loop, units.stop("leger-check-slow.service", kJobMs)), "done", "stop of a hung job");
}

void check_restarts(Check& check, leger::Loop& loop, leger::SystemdUnits& units) {
  using leger::test::run;
  const auto started = run(loop, units.start("leger-check-loops.service", kJobMs));
  check.that(started.has_value(), "start of what crashes");
  usleep(800'000);
  const auto state = run(loop, units.state("leger-check-loops.service"));
  check.that(state && state->restarts >= 2, "its restarts are counted");
  check.that(run(loop, units.stop("leger-check-loops.service", kJobMs)).has_value(), "stop of what crashes");
  check.that(run(loop, units.reset_failed("leger-check-loops.service")).has_value(), "reset_failed of what crashed");
}

void check_instances(Check& check, leger::Loop& loop, leger::SystemdUnits& units) {
  using leger::test::run;
  check.job(run(loop, units.start("leger-check-x\\x2dy@one.service", kJobMs)), "done", "start of an instance");
  const auto loaded = run(loop, units.instances("leger-check-x\\x2dy@.service"));
  check.that(loaded && *loaded == std::vector<std::string>{"leger-check-x\\x2dy@one.service"}, "its template has it");
  const auto none = run(loop, units.instances("leger-check-absent@.service"));
  check.that(none && none->empty(), "a template that is not there has none");
  check.job(run(loop, units.stop("leger-check-x\\x2dy@one.service", kJobMs)), "done", "stop of the instance");
}

void check_unknown(Check& check, leger::Loop& loop, leger::SystemdUnits& units) {
  using leger::Code;
  using leger::test::run;
  const std::string absent = "leger-check-absent.service";
  check.fails(run(loop, units.start(absent, kJobMs)), Code::service_not_found, "start of an unknown unit");
  check.fails(run(loop, units.stop(absent, kJobMs)), Code::service_not_found, "stop of an unknown unit");
  check.fails(run(loop, units.restart(absent, kJobMs)), Code::service_not_found, "restart of an unknown unit");
  check.that(run(loop, units.reset_failed(absent)).has_value(), "reset_failed of an unknown unit is no error");
  const auto state = run(loop, units.state(absent));
  check.that(state && state->load_state == "not-found", "state of an unknown unit is not-found");
  check.fails(run(loop, units.start("bad name.service", kJobMs)), Code::service_not_found, "a name that is none");
  check.fails(run(loop, units.start("template@.service", kJobMs)), Code::upstream_failed,
              "a template without instance");
}

leger::Task<Result<void>> reload_twice(leger::Loop& loop, leger::SystemdUnits& units) {
  const leger::OneShot<bool> other(loop);
  struct Second {
    static leger::Task<void> reload(leger::SystemdUnits& by, leger::OneShot<bool> done) {
      const auto result = co_await by.reload();
      done.set(result.has_value());
    }
  };
  loop.spawn(Second::reload(units, other), [](std::exception_ptr) { std::abort(); });
  auto first = co_await units.reload();
  const bool second = co_await other;
  if (!second) co_return leger::Fail(leger::Error{});
  co_return first;
}

int check_all() {
  leger::SystemClock clock;
  leger::Loop loop(clock);
  leger::Bus bus(loop);
  leger::SystemdUnits units(loop, bus);
  UnitFiles files;
  Check check;
  write_all(files);
  check.that(leger::test::run(loop, reload_twice(loop, units)).has_value(), "two reloads at once");
  check_jobs(check, loop, units);
  check_restarts(check, loop, units);
  check_instances(check, loop, units);
  check_unknown(check, loop, units);
  const auto names = leger::test::run(loop, units.unit_files());
  const auto there = [&names](const char* name) { return names && std::ranges::find(*names, name) != names->end(); };
  check.that(there("leger-check.service") && there("default.target"), "unit_files names ours and systemd's");
  check.that(bus.connections_made() == 1, "all on one connection");
  return check.failures();
}

}  // namespace

int main() {
  const int failures = check_all();
  std::cout << (failures == 0 ? "all as it should be" : std::to_string(failures) + " wrong") << std::endl;
  return failures == 0 ? 0 : 1;
}
