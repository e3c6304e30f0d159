#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "backend/base/json.h"
#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"
#include "tests/quadlets/archives.h"

// What a plan shows, and that only what was shown is installed.

namespace leger {
namespace {

using test::Daemon;
using test::Files;
using test::install_shop;
using test::jobs;
using test::shop_v1;
using test::shop_v2;
using test::TemporaryFolder;

std::string id_of(const Result<Json>& plan) {
  REQUIRE(plan);
  return text_field(*plan, "plan_id").value_or("");
}

// The ids of a plan's findings of one level.
std::vector<std::string> findings(const Json& plan, const std::string& level) {
  std::vector<std::string> ids;
  for (const Json& finding : plan["findings"]) {
    if (text_field(finding, "level") == level) ids.push_back(text_field(finding, "id").value_or(""));
  }
  return ids;
}

// The update that the other tests plan, uploaded.
std::uint64_t upload_update(Daemon& daemon) {
  daemon.set_secret("extra", "gamma");
  return daemon.upload("shop", shop_v2(), {"token"});
}

void check_conflict(const Result<Deployment>& refused, const std::string& part) {
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().message.contains(part));
}

Task<void> keep(Task<Result<std::string>> task, std::shared_ptr<Result<std::string>> into) { *into = co_await task; }

}  // namespace

TEST_CASE("A plan shows what an install would do, and changes nothing") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto version = upload_update(daemon);
  const std::string before = daemon.picture();
  const auto rows = daemon.deployments().count("").value();
  const auto plan = daemon.plan(version);
  REQUIRE(plan);
  CHECK((*plan)["restart"] == Json{"job.service", "web.service"});
  CHECK((*plan)["images"] == Json{"localhost/job:1", "localhost/web:2"});
  CHECK((*plan)["findings"].empty());
  CHECK(daemon.picture() == before);
  CHECK(daemon.staged().empty());
  CHECK(daemon.deployments().count("").value() == rows);
  CHECK(jobs(daemon).empty());
  CHECK(id_of(daemon.plan(version)) == id_of(plan));
}

TEST_CASE("A release that must not be installed has a plan, with what is denied, that reads the same each time") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = daemon.upload("shop", {{"web.container", "[Container]\nImage=localhost/web:1\nSecret=absent\n"},
                                              {"broken.container", "[Container]\nBadKey=1\n"},
                                              {"thing.artifact", "[Artifact]\nArtifact=quay.io/x/y\n"}});
  const auto plan = daemon.plan(version);
  REQUIRE(plan);
  CHECK(findings(*plan, "denied") ==
        std::vector<std::string>{"no-unit:broken.container", "unsupported:thing.artifact", "missing-secret:absent"});
  CHECK_FALSE(dump(*plan).contains("leger-staging"));
  CHECK(daemon.plan(version).value() == *plan);
  const auto refused = daemon.install(version, {.plan_id = id_of(plan)});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::preflight_failed);
  CHECK(daemon.staged().empty());
}

TEST_CASE("What a plan showed is installed by its id") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto version = upload_update(daemon);
  const std::string id = id_of(daemon.plan(version));
  CHECK(daemon.deployer().planned_version(daemon.user, id) == version);
  const auto row = daemon.install(version, {.plan_id = id});
  REQUIRE(row);
  CHECK(row->state == "deployed");
  const auto again = daemon.install(version, {.plan_id = id});
  check_conflict(again, "out of date");
}

TEST_CASE("A plan that nobody knows, or that somebody else saw, is out of date") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string id = id_of(daemon.plan(1));
  for (const auto& version :
       {daemon.deployer().planned_version("bob", id), daemon.deployer().planned_version(daemon.user, "another")}) {
    REQUIRE_FALSE(version);
    CHECK(version.error().code == Code::conflict);
    CHECK(version.error().action.contains("leger deploy plan"));
  }
}

TEST_CASE("Where anything is another than the plan showed, nothing is installed") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto version = upload_update(daemon);
  const std::string id = id_of(daemon.plan(version));
  std::string part = "out of date";
  SUBCASE("a new version of a secret") { daemon.set_secret("token", "beta"); }
  SUBCASE("a service that stopped") { daemon.machine.units.at("web.service").active_state = "failed"; }
  SUBCASE("a live file") { test::write_file(daemon.installer().live_path("shop") + "/site.conf", "by hand"); }
  SUBCASE("a live unit") {
    test::write_file(daemon.installer().live_path("shop") + "/web.container", "[Container]\nImage=localhost/web:1\n");
  }
  SUBCASE("another deployment") { REQUIRE(daemon.install(1)); }
  SUBCASE("the app is gone") { REQUIRE(daemon.remove("shop")); }
  SUBCASE("an image") { daemon.machine.podman.local_images.push_back({.id = "aa", .names = {"localhost/web:2"}}); }
  SUBCASE("another bundle in the place of the one that was uploaded") {
    const std::string releases = folder / "state/releases/" + daemon.user;
    std::filesystem::copy_file(releases + "/v1.tar.gz", releases + "/v2.tar.gz",
                               std::filesystem::copy_options::overwrite_existing);
    part = "damaged";
  }
  SUBCASE("another bundle, its hash changed too") {
    const auto swapped = test::run(daemon.loop, daemon.database->write([](Connection& connection) {
      return connection.execute(
          "UPDATE releases SET sha256 = (SELECT sha256 FROM releases WHERE version = 1)"
          " WHERE version = 2");
    }));
    REQUIRE(swapped);
    const std::string releases = folder / "state/releases/" + daemon.user;
    std::filesystem::copy_file(releases + "/v1.tar.gz", releases + "/v2.tar.gz",
                               std::filesystem::copy_options::overwrite_existing);
  }
  const auto rows = daemon.deployments().count("").value();
  check_conflict(daemon.install(version, {.plan_id = id}), part);
  CHECK(daemon.deployments().count("").value() == rows);
  CHECK(daemon.staged().empty());
}

TEST_CASE("Notes are shown and need nobody's consent") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  Files files = shop_v1();
  files["data.volume"] = "[Volume]\nLabel=a=b\n";
  const auto version = daemon.upload("shop", files, {"token"});
  const auto plan = daemon.plan(version);
  REQUIRE(plan);
  CHECK(findings(*plan, "note") == std::vector<std::string>{"volume-not-changed:data.volume"});
  const auto row = daemon.install(version, {.plan_id = id_of(plan)});
  REQUIRE(row);
  CHECK(row->state == "deployed");
}

TEST_CASE("What somebody else has in Podman is in the plan, and is taken over only where that was agreed to") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  daemon.machine.podman.stored["token"] = {"1", "theirs", {}};
  const auto plan = daemon.plan(version);
  REQUIRE(plan);
  CHECK(findings(*plan, "note") == std::vector<std::string>{"foreign-secret:token"});
  check_conflict(daemon.install(version, {.plan_id = id_of(plan)}), "\"token\"");
  CHECK(daemon.machine.podman.stored.at("token").value == "theirs");
  const auto row = daemon.install(version, {.plan_id = id_of(plan), .adopt = Adopt::yes});
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
}

TEST_CASE("What was agreed to is checked in order: the plan, what is denied, what is somebody's, what is flagged") {
  Prepared prepared;
  prepared.plan_id = "now";
  prepared.flags = {{.id = "host-network:web.container", .level = "flagged", .file = "web.container", .message = "m"}};
  prepared.foreign = {{.id = "1", .name = "token", .labels = {}}};
  prepared.denied = {{.id = "d", .level = "denied", .file = "", .message = "no"}};
  InstallOptions options{.plan_id = "before"};
  CHECK(check_agreed(prepared, options).error().code == Code::conflict);
  options.plan_id = "now";
  CHECK(check_agreed(prepared, options).error().code == Code::preflight_failed);
  prepared.denied.clear();
  CHECK(check_agreed(prepared, options).error().code == Code::conflict);
  options.adopt = Adopt::yes;
  CHECK(check_agreed(prepared, options).error().code == Code::confirmation_required);
  options.accept_flags = {"host-network:other.container"};
  CHECK_FALSE(check_agreed(prepared, options));
  options.accept_flags.emplace_back("host-network:web.container");
  CHECK(check_agreed(prepared, options));
  options.plan_id.clear();
  CHECK(check_agreed(prepared, options));
  REQUIRE(prepared.findings().size() == 1);
}

TEST_CASE("Plans are not made while a deployment runs, and a deployment leaves the folder of a plan alone") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto version = upload_update(daemon);
  auto refused = std::make_shared<Result<std::string>>();
  daemon.trouble.watch = [&](const std::string& call) {
    if (call != "restart job.service") return;
    daemon.loop.spawn(keep(daemon.deployer().plan(test::at_socket(daemon.user), 1), refused),
                      [](std::exception_ptr) {});
  };
  REQUIRE(daemon.install(version));
  REQUIRE_FALSE(refused->has_value());
  CHECK(refused->error().code == Code::conflict);
  // The sweep of a recovery begins while the plan's folder is there.
  auto swept = std::make_shared<bool>(false);
  daemon.trouble.watch = [&, swept](const std::string& call) {
    if (call != "unit_files" || std::exchange(*swept, true)) return;
    daemon.loop.spawn(daemon.deployer().recover(), [](std::exception_ptr) { FAIL("recovery threw"); });
  };
  CHECK(daemon.plan(1));
  CHECK(*swept);
}

TEST_CASE("A release that is not there, and an app of somebody else's, have no plan") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto absent = daemon.plan(7);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Code::release_not_found);
  std::filesystem::create_directories(daemon.installer().live_path("mine"));
  test::write_file(daemon.installer().live_path("mine") + "/a.container", "[Container]\nImage=localhost/a\n");
  const auto taken = daemon.plan(daemon.upload("mine", {{"b.container", "[Container]\nImage=localhost/b\n"}}));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Code::conflict);
  CHECK(daemon.staged().empty());
}

TEST_CASE("An image that was exchanged under its name restarts its service") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.machine.podman.local_images = {{.id = "one", .names = {"localhost/web:1"}}};
  install_shop(daemon);
  daemon.machine.podman.local_images.push_back({.id = "two", .names = {}});
  REQUIRE(test::run(daemon.loop, daemon.machine.podman.tag_image("two", "localhost/web:1")));
  const auto row = daemon.install(1);
  REQUIRE(row);
  CHECK(jobs(daemon) == std::vector<std::string>{"restart web.service"});
  CHECK(row->plan.contains(R"("reasons":["image"])"));
  daemon.trouble.calls.clear();
  REQUIRE(daemon.install(1));
  CHECK(jobs(daemon).empty());
}

TEST_CASE("A service that is down is started by the same release") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.machine.units.at("worker.service").active_state = "failed";
  const auto row = daemon.install(1);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(jobs(daemon) == std::vector<std::string>{"restart worker.service"});
}

}  // namespace leger
