#include "backend/service/deploy_steps.h"

#include <doctest/doctest.h>

#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::Daemon;
using test::run;
using test::TemporaryFolder;

void add_running(Daemon& daemon, const std::string& unit) {
  daemon.machine.units.add(unit, "/q/app/" + unit);
  daemon.machine.units.at(unit).active_state = "active";
}

PodmanContainer container(const std::string& unit, const std::string& health) {
  return {.id = "1", .name = "c", .image = "i", .state = "running", .unit = unit, .health = health, .ports = {}};
}

}  // namespace

TEST_CASE("Instances are those that run of the template's own file") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  for (const char* name : {"one", "two", "down", "failed", "file", "other"}) {
    const std::string unit = std::string("job@") + name + ".service";
    daemon.machine.units.add(unit, "/q/app/job@.container");
    daemon.machine.units.at(unit).active_state = "active";
  }
  daemon.machine.units.at("job@down.service").active_state = "inactive";
  daemon.machine.units.at("job@failed.service").active_state = "failed";
  daemon.machine.units.at("job@other.service").source_path = "/q/other/job@other.container";
  Generation generation;
  generation.units = {{.name = "job@one.service", .source = "job@.container", .image = "i", .secrets = {}},
                      {.name = "job@file.service", .source = "job@file.container", .image = "i", .secrets = {}},
                      {.name = "web.service", .source = "web.container", .image = "i", .secrets = {}}};
  DeployParts parts = daemon.deploy_parts();
  const auto running = run(daemon.loop, running_instances(parts, "/q/app", generation));
  REQUIRE(running);
  CHECK(*running == std::map<std::string, std::vector<std::string>>{{"job@one.service", {"job@two.service"}}});
}

TEST_CASE("An instance that has ended is not one to be started again") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  for (const char* unit : {"job@up.service", "job@ended.service", "job@failed.service"}) {
    daemon.machine.units.add(unit, "/q/app/job@.container");
  }
  daemon.machine.units.at("job@up.service").active_state = "active";
  daemon.machine.units.at("job@ended.service").active_state = "inactive";
  daemon.machine.units.at("job@failed.service").active_state = "failed";
  Generation generation;
  generation.instances = {"job@up.service", "job@ended.service", "job@failed.service"};
  DeployParts parts = daemon.deploy_parts();
  REQUIRE(run(daemon.loop, forget_ended(parts, generation)));
  CHECK(generation.instances == std::vector<std::string>{"job@up.service"});
}

TEST_CASE("The health gate waits for the settling time, and notices a service that is restarted meanwhile") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  add_running(daemon, "web.service");
  DeployParts parts = daemon.deploy_parts();
  parts.settle_ms = 600;
  parts.health_timeout_ms = 5'000;
  const auto started = daemon.clock.monotonic_ms();
  SUBCASE("steady") {
    CHECK(run(daemon.loop, await_health(parts, {"web.service"})));
    CHECK(daemon.clock.monotonic_ms() - started >= 600);
  }
  SUBCASE("crash loop") {
    daemon.machine.units.set_job("web.service", test::FakeUnits::Job::crash_loop);
    const auto sick = run(daemon.loop, await_health(parts, {"web.service"}));
    REQUIRE_FALSE(sick);
    CHECK(sick.error().message.contains("web.service crashes"));
    CHECK(sick.error().action.contains("journalctl"));
  }
}

TEST_CASE("The health gate waits for containers to say healthy, and not for ever") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  add_running(daemon, "web.service");
  daemon.machine.podman.running = {container("web.service", "starting"), container("other.service", "unhealthy")};
  DeployParts parts = daemon.deploy_parts();
  parts.health_timeout_ms = 700;
  SUBCASE("it becomes healthy") {
    int looks = 0;
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "containers" && ++looks == 2) daemon.machine.podman.running[0].health = "healthy";
    };
    CHECK(run(daemon.loop, await_health(parts, {"web.service"})));
    CHECK(looks == 2);
  }
  SUBCASE("it does not") {
    const auto late = run(daemon.loop, await_health(parts, {"web.service"}));
    REQUIRE_FALSE(late);
    CHECK(late.error().message.contains("not healthy in time"));
  }
}

TEST_CASE("A unit whose stop does not come to its end is an error, one that is not there is none") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  add_running(daemon, "web.service");
  DeployParts parts = daemon.deploy_parts();
  CHECK(run(daemon.loop, stop_units(parts, {"absent.service", "web.service"})));
  CHECK(daemon.machine.units.at("web.service").active_state == "inactive");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::dependency);
  const auto stuck = run(daemon.loop, stop_units(parts, {"web.service"}));
  REQUIRE_FALSE(stuck);
  CHECK(stuck.error().message.contains("web.service did not stop"));
}

TEST_CASE("A unit that systemd has not loaded, or from elsewhere, is an error") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  add_running(daemon, "web.service");
  daemon.machine.units.at("web.service").source_path = "/q/app/web.container";
  DeployParts parts = daemon.deploy_parts();
  const AppUnit web{.name = "web.service", .source = "web.container", .image = "", .secrets = {}, .text = ""};
  const AppUnit absent{.name = "gone.service", .source = "gone.container", .image = "", .secrets = {}, .text = ""};
  CHECK(run(daemon.loop, check_loaded(parts, "/q/app", {web})));
  const auto elsewhere = run(daemon.loop, check_loaded(parts, "/q/other", {web}));
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error().message.contains("/q/app/web.container"));
  CHECK_FALSE(run(daemon.loop, check_loaded(parts, "/q/app", {web, absent})));
}

TEST_CASE("Podman secrets are put once a version, with labels, and dropped only where they are ours and unused") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  daemon.set_secret("token", "beta");
  DeployParts parts = daemon.deploy_parts();
  REQUIRE(run(daemon.loop, put_podman_secrets(parts, test::at_socket(daemon.user), {{"token", 1}})));
  CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
  daemon.machine.podman.calls.clear();
  REQUIRE(run(daemon.loop, put_podman_secrets(parts, test::at_socket(daemon.user), {{"token", 1}})));
  CHECK(daemon.machine.podman.calls == std::vector<std::string>{"secrets"});
  REQUIRE(run(daemon.loop, put_podman_secrets(parts, test::at_socket(daemon.user), {{"token", 2}})));
  CHECK(daemon.machine.podman.stored.at("token").value == "beta");
  CHECK_FALSE(run(daemon.loop, put_podman_secrets(parts, test::at_socket(daemon.user), {{"token", 9}})));
  daemon.machine.podman.stored["theirs"] = {"2", "x", {{"leger.user", "bob"}}};
  REQUIRE(run(daemon.loop, drop_podman_secrets(parts, daemon.user, "app", {"token", "theirs", "absent"})));
  CHECK_FALSE(daemon.machine.podman.stored.contains("token"));
  CHECK(daemon.machine.podman.stored.contains("theirs"));
}

}  // namespace leger
