#include "tests/fakes/fake_units.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support.h"

namespace leger {
namespace {

using test::FakeUnits;
using test::run;

struct Fixture {
  SystemClock clock;
  Loop loop{clock};
  FakeUnits units{loop};

  Fixture() { units.add("a.service", "/q/a.container"); }
  std::string active() { return run(loop, units.state("a.service"))->active_state; }
};

TEST_CASE("a fake unit starts and stops, and what was asked is written down") {
  Fixture f;
  CHECK(f.active() == "inactive");
  CHECK(run(f.loop, f.units.start("a.service", 100)) == std::string("done"));
  CHECK(f.active() == "active");
  CHECK(f.units.at("a.service").active_since.has_value());
  CHECK(run(f.loop, f.units.restart("a.service", 100)) == std::string("done"));
  CHECK(run(f.loop, f.units.stop("a.service", 100)) == std::string("done"));
  CHECK(f.active() == "inactive");
  CHECK(f.units.calls() == std::vector<std::string>{"start a.service", "restart a.service", "stop a.service"});
}

TEST_CASE("a fake unit goes wrong as it is told to") {
  Fixture f;
  f.units.set_job("a.service", FakeUnits::Job::dependency);
  CHECK(run(f.loop, f.units.start("a.service", 100)) == std::string("dependency"));
  CHECK(f.active() == "inactive");
  f.units.set_job("a.service", FakeUnits::Job::failed);
  CHECK(run(f.loop, f.units.start("a.service", 100)) == std::string("failed"));
  CHECK(f.active() == "failed");
  CHECK(run(f.loop, f.units.reset_failed("a.service")));
  CHECK(f.active() == "inactive");
  f.units.set_job("a.service", FakeUnits::Job::hung);
  const auto hung = run(f.loop, f.units.start("a.service", 10));
  CHECK((!hung && hung.error().code == Code::upstream_failed));
  f.units.set_job("a.service", FakeUnits::Job::crash_loop);
  CHECK(run(f.loop, f.units.start("a.service", 100)));
  CHECK(run(f.loop, f.units.state("a.service"))->restarts == 1);
  CHECK(run(f.loop, f.units.state("a.service"))->restarts == 2);
}

TEST_CASE("a fake template has the instances that are there") {
  Fixture f;
  for (const char* unit : {"a@.service", "a@one.service", "a@one.socket", "aa@two.service"}) f.units.add(unit);
  CHECK(run(f.loop, f.units.instances("a@.service")) == std::vector<std::string>{"a@one.service"});
}

TEST_CASE("an unknown fake unit is not found") {
  Fixture f;
  const auto started = run(f.loop, f.units.start("b.service", 100));
  CHECK((!started && started.error().code == Code::service_not_found));
  CHECK(run(f.loop, f.units.state("b.service"))->load_state == "not-found");
}

TEST_CASE("a fake reload runs the generator, or fails") {
  Fixture f;
  f.units.set_generator([](FakeUnits& units) { units.add("b.service"); });
  f.units.set_reload_failures(1);
  CHECK(!run(f.loop, f.units.reload()));
  CHECK(!f.units.knows("b.service"));
  CHECK(run(f.loop, f.units.reload()));
  CHECK(run(f.loop, f.units.unit_files()) == std::vector<std::string>{"a.service", "b.service"});
}

TEST_CASE("fake units without a bus fail every call") {
  Fixture f;
  f.units.set_broken({Code::unavailable, "no bus", "get one", {}});
  CHECK(!run(f.loop, f.units.reload()));
  CHECK(!run(f.loop, f.units.start("a.service", 100)));
  CHECK(!run(f.loop, f.units.reset_failed("a.service")));
  CHECK(!run(f.loop, f.units.state("a.service")));
  CHECK(!run(f.loop, f.units.unit_files()));
  f.units.set_broken({});
  CHECK(run(f.loop, f.units.reload()));
}

}  // namespace
}  // namespace leger
