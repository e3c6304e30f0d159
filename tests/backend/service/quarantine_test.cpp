#include <doctest/doctest.h>

#include "backend/base/json.h"
#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

// A release that did not start here is not deployed again without being asked for twice.

namespace leger {
namespace {

using test::Daemon;
using test::Files;
using test::TemporaryFolder;

Files app(const std::string& tag) { return {{"web.container", "[Container]\nImage=localhost/web:" + tag + "\n"}}; }

// Installs a release that fails; its version.
std::uint64_t fail_to_start(Daemon& daemon, const std::string& tag = "bad") {
  daemon.machine.units.add("web.service");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
  const auto version = daemon.upload("shop", app(tag));
  const auto row = daemon.install(version);
  REQUIRE(row);
  REQUIRE_FALSE(row->live);
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::done);
  return version;
}

void check_quarantined(const Result<Deployment>& refused) {
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().action.contains("--retry"));
}

}  // namespace

TEST_CASE("A release that did not start is refused until it is to be tried again") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = fail_to_start(daemon);
  check_quarantined(daemon.install(version));
  const auto rows = daemon.deployments().count("").value();
  const auto plan = daemon.plan(version);
  REQUIRE(plan);
  CHECK(dump((*plan)["findings"]).contains(R"("id":"quarantined:")"));
  check_quarantined(daemon.install(version, {.plan_id = text_field(*plan, "plan_id").value_or("")}));
  CHECK(daemon.deployments().count("").value() == rows);
  const auto row = daemon.install(version, {.retry = Retry::yes});
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(daemon.install(version));  // it runs: there is nothing against it any more
}

TEST_CASE("The quarantine is of the bundle's bytes for that app, and outlives legerd") {
  const TemporaryFolder folder;
  Json machine;
  {
    Daemon daemon(folder.path(), {});
    fail_to_start(daemon);
    machine = daemon.machine.save();
  }
  Daemon daemon(folder.path(), machine);
  const auto other = daemon.install(daemon.upload("shop", app("good")));
  REQUIRE(other);
  CHECK(other->state == "deployed");
  const auto same_again = daemon.upload("shop", app("bad"));
  CHECK(same_again == 3);
  check_quarantined(daemon.install(same_again));
  CHECK(daemon.install(daemon.upload("stall", {{"stall.container", "[Container]\nImage=localhost/web:bad\n"}})));
}

TEST_CASE("A release that fails again stays in quarantine") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = fail_to_start(daemon);
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
  REQUIRE(daemon.install(version, {.retry = Retry::yes}));
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::done);
  check_quarantined(daemon.install(version));
}

TEST_CASE("A health check that fails puts a release into quarantine, a failure before the start does not") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = daemon.upload("shop", app("1"));
  SUBCASE("health") {
    daemon.machine.podman.running.push_back({.id = "1",
                                             .name = "web",
                                             .image = "",
                                             .state = "running",
                                             .unit = "web.service",
                                             .health = "unhealthy",
                                             .ports = {}});
    REQUIRE(daemon.install(version));
    daemon.machine.podman.running.clear();
    check_quarantined(daemon.install(version));
  }
  SUBCASE("the reload fails") {
    daemon.machine.units.set_reload_failures(1);
    const auto row = daemon.install(version);
    REQUIRE(row);
    CHECK(row->state == "rolled_back");
    const auto again = daemon.install(version);
    REQUIRE(again);
    CHECK(again->state == "deployed");
  }
}

TEST_CASE("A crash of legerd is nothing against the release") {
  const TemporaryFolder folder;
  Json machine;
  std::uint64_t version = 0;
  {
    Daemon daemon(folder.path(), {});
    version = daemon.upload("shop", app("1"));
    REQUIRE(daemon.install(version));
    // What a crash while it starts leaves: a row that has not ended.
    auto row = daemon.deployments().list({})->front();
    row.state = "starting";
    row.finished_at.reset();
    REQUIRE(test::run(daemon.loop, daemon.deployments().update(row)));
    machine = daemon.machine.save();
  }
  Daemon daemon(folder.path(), machine);
  daemon.recover();
  REQUIRE(daemon.deployments().list({})->front().state == "rolled_back");
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "deployed");
}

}  // namespace leger
