// Secrets that change while apps run: what is restarted, what is judged, and that all of it goes back together.

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "backend/base/json.h"
#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::at_socket;
using test::Daemon;
using test::Files;
using test::install_shop;
using test::jobs;
using test::run;
using test::running;
using test::shop_v1;
using test::TemporaryFolder;

using Jobs = std::vector<std::string>;

Result<Deployment> sync(Daemon& daemon) {
  const auto id = run(daemon.loop, daemon.deployer().sync(at_socket(daemon.user)));
  if (!id) return Fail(id.error());
  return daemon.deployments().get(*id);
}

// One that uses the shop's token, and one that does not.
Files other_app() {
  return {{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"},
          {"alone.container", "[Container]\nImage=localhost/alone:1\nSecret=extra\n"}};
}

void install_both(Daemon& daemon) {
  install_shop(daemon);
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.install(daemon.upload("other", other_app()))->state == "deployed");
  daemon.trouble.calls.clear();
}

std::uint64_t deployed_version(Daemon& daemon, const std::string& app, const std::string& secret) {
  const auto live = daemon.deployments().live(app);
  REQUIRE(live);
  REQUIRE(*live);
  const auto generation = generation_from_json((*live)->journal);
  REQUIRE(generation);
  return generation->secrets.at(secret);
}

// The first restart of `unit` fails, and no other.
void fail_once(Daemon& daemon, const std::string& unit) {
  auto seen = std::make_shared<bool>(false);
  daemon.trouble.watch = [&daemon, unit, seen](const std::string& call) {
    if (call != "restart " + unit) return;
    daemon.machine.units.set_job(unit, *seen ? test::FakeUnits::Job::done : test::FakeUnits::Job::failed);
    *seen = true;
  };
}

}  // namespace

TEST_CASE("A sync restarts what uses a changed secret in every app, and nothing else") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_both(daemon);
  daemon.set_secret("token", "beta");
  const auto row = sync(daemon);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(row->kind == "sync");
  CHECK(jobs(daemon) == Jobs{"restart other.service", "restart web.service"});
  CHECK(running(daemon, "web.service").contains("token: beta"));
  CHECK(running(daemon, "other.service").contains("token: beta"));
  CHECK(daemon.machine.podman.stored.at("token").labels.at("leger.version") == "2");
  CHECK(deployed_version(daemon, "shop", "token") == 2);
  CHECK(deployed_version(daemon, "other", "token") == 2);
  CHECK(deployed_version(daemon, "other", "extra") == 1);
  const Json plan = Json::parse(row->plan);
  CHECK(plan["restart"] == Json({"other.service", "web.service"}));
  CHECK(plan["units"][1] ==
        Json({{"name", "web.service"}, {"change", "changed"}, {"reasons", {"secret token"}}, {"app", "shop"}}));
  CHECK(plan["secrets"] == Json::array({{{"name", "token"}, {"version", 2}, {"version_before", 1}}}));
  CHECK(daemon.audit().entries("deployment.sync").front().record.outcome == "deployed");
}

TEST_CASE("What a sync deployed is in use: it outlives newer values, and the value before does not") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  REQUIRE(sync(daemon)->state == "deployed");
  for (int i = 0; i < 12; ++i) daemon.set_secret("token", "value " + std::to_string(i));
  const auto is_kept = [&daemon](std::uint64_t version) {
    return run(daemon.loop, daemon.secrets().read(at_socket(daemon.user), "token", version)).has_value();
  };
  CHECK(is_kept(2));
  CHECK_FALSE(is_kept(1));
  CHECK_FALSE(run(daemon.loop, daemon.secrets().remove(at_socket(daemon.user), "token")));
}

TEST_CASE("A sync with nothing to do touches nothing, puts back what Podman lacks, and is a row all the same") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  SUBCASE("nothing is deployed") {
    CHECK(sync(daemon)->state == "deployed");
    CHECK(daemon.trouble.calls.empty());
  }
  SUBCASE("everything is new") {
    install_shop(daemon);
    const std::string before = daemon.picture();
    const auto row = sync(daemon);
    REQUIRE(row);
    CHECK(row->state == "deployed");
    CHECK(jobs(daemon).empty());
    CHECK(daemon.picture() == before);
  }
  SUBCASE("a secret was removed from Podman") {
    install_shop(daemon);
    daemon.machine.podman.stored.clear();
    CHECK(sync(daemon)->state == "deployed");
    CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
    CHECK(jobs(daemon).empty());
  }
}

TEST_CASE("Where one user of a changed secret does not come up, all of them go back to the value before") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_both(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("token", "beta");
  fail_once(daemon, "web.service");
  const auto row = sync(daemon);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(row->error.contains("web.service"));
  CHECK(daemon.picture() == before);
  CHECK(deployed_version(daemon, "shop", "token") == 1);
  CHECK(jobs(daemon) ==
        Jobs{"restart other.service", "restart web.service", "restart other.service", "restart web.service"});
  daemon.trouble.watch = {};
  CHECK(sync(daemon)->state == "deployed");
  CHECK(running(daemon, "web.service").contains("token: beta"));
}

TEST_CASE("A sync that cannot be reverted has failed, and says both reasons") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
  const auto row = sync(daemon);
  REQUIRE(row);
  CHECK(row->state == "failed");
  CHECK(row->error.contains("Rolling back failed too: web.service"));
  CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
}

TEST_CASE("A Podman secret that somebody put in the place of ours is not overwritten by a sync") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.machine.podman.stored["token"] = {"9", "theirs", {}};
  const auto refused = sync(daemon);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(daemon.machine.podman.stored.at("token").value == "theirs");
  CHECK(daemon.deployments().count("").value() == 1);
}

TEST_CASE("An install that gives a secret a newer value restarts its users in other apps, and the plan names them") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("other", other_app());
  SUBCASE("all come up") {
    const auto row = daemon.install(version);
    REQUIRE(row);
    CHECK(row->state == "deployed");
    CHECK(running(daemon, "web.service").contains("token: beta"));
    CHECK(running(daemon, "other.service").contains("token: beta"));
    CHECK(deployed_version(daemon, "shop", "token") == 2);
    CHECK(std::ranges::count(jobs(daemon), "restart web.service") == 1);
    CHECK(std::ranges::count(jobs(daemon), "restart worker.service") == 0);
    const Json plan = Json::parse(row->plan);
    CHECK(plan["units"].back() ==
          Json({{"name", "web.service"}, {"change", "changed"}, {"reasons", {"secret token"}}, {"app", "shop"}}));
    CHECK(plan["restart"].back() == "web.service");
    CHECK(sync(daemon)->plan.contains("\"restart\":[]"));
  }
  SUBCASE("the other app does not come up") {
    const std::string before = daemon.picture();
    fail_once(daemon, "web.service");
    const auto row = daemon.install(version);
    REQUIRE(row);
    CHECK(row->state == "rolled_back");
    CHECK(daemon.picture() == before);
    CHECK(running(daemon, "web.service").contains("token: alpha"));
    CHECK(deployed_version(daemon, "shop", "token") == 1);
  }
}

TEST_CASE("During another deployment, and during recovery, a sync is refused") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.loop.spawn(daemon.deployer().recover(), [](std::exception_ptr) { FAIL("recovery threw"); });
  const auto refused = sync(daemon);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unavailable);
  CHECK(sync(daemon));
}

}  // namespace leger
