#include "backend/service/deployer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"
#include "tests/quadlets/archives.h"

namespace leger {
namespace {

using test::Daemon;
using test::Files;
using test::install_shop;
using test::jobs;
using test::run;
using test::running;
using test::shop_v1;
using test::shop_v2;
using test::TemporaryFolder;

Task<void> keep(Task<Result<std::string>> task, std::shared_ptr<Result<std::string>> into) { *into = co_await task; }

}  // namespace

TEST_CASE("An install puts folder, secrets and services in place, records each step, and leaves no staging") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  std::vector<std::string> states;
  daemon.trouble.watch = [&](const std::string&) {
    const auto rows = daemon.deployments().unfinished();
    if (!rows || rows->empty()) return;
    if (states.empty() || states.back() != rows->front().state) states.push_back(rows->front().state);
  };
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(states == std::vector<std::string>{"pulling", "switching", "starting", "checking"});
  CHECK(row->live);
  CHECK(row->finished_at);
  CHECK(row->error.empty());
  CHECK(row->plan.contains("web.service"));
  CHECK(running(daemon, "web.service").contains("site.conf: one"));
  CHECK(running(daemon, "web.service").contains("token: alpha"));
  CHECK(running(daemon, "worker.service").contains("localhost/worker:1"));
  const auto& secret = daemon.machine.podman.stored.at("token");
  CHECK(secret.labels == std::map<std::string, std::string>{
                             {"leger.user", daemon.user}, {"leger.name", "token"}, {"leger.version", "1"}});
  CHECK(daemon.staged().empty());
}

TEST_CASE("An update stops what goes, restarts what changed, and keeps one generation back") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  const auto row = daemon.install(daemon.upload("shop", shop_v2(), {"token"}));
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(jobs(daemon) == std::vector<std::string>{"stop worker.service", "restart job.service", "restart web.service"});
  CHECK(running(daemon, "web.service").contains("site.conf: two"));
  CHECK(running(daemon, "web.service").contains("token: beta"));
  CHECK(running(daemon, "web.service").contains("extra: gamma"));
  CHECK(running(daemon, "worker.service").empty());
  CHECK(daemon.staged() == std::vector<std::string>{row->id});
  CHECK(std::filesystem::exists(daemon.installer().staging_path(row->id) + "/worker.container"));
  const auto third = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(third);
  CHECK(daemon.staged() == std::vector<std::string>{third->id});
}

TEST_CASE("The same release again restarts nothing and leaves the folder where it is") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  const auto identity = Installer::identity(daemon.installer().live_path("shop"));
  const auto row = daemon.install(1);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(row->live);
  CHECK(jobs(daemon).empty());
  CHECK(daemon.picture() == before);
  CHECK(Installer::identity(daemon.installer().live_path("shop")) == identity);
  CHECK(daemon.staged().empty());
}

TEST_CASE("A new version of a secret with the same release restarts its user, and a failure brings the old one back") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
  const auto failing = daemon.install(1);
  REQUIRE(failing);
  CHECK(failing->state == "failed");  // the old one does not start either
  CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::done);
  daemon.trouble.calls.clear();
  const auto row = daemon.install(1, {.retry = Retry::yes});
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(jobs(daemon) == std::vector<std::string>{"restart web.service"});
  CHECK(running(daemon, "web.service").contains("token: beta"));
  CHECK(daemon.staged().empty());
}

TEST_CASE("An update in which only a mounted file changed restarts only its user") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  Files files = shop_v1();
  files["site.conf"] = "other";
  const auto row = daemon.install(daemon.upload("shop", files, {"token"}));
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(jobs(daemon) == std::vector<std::string>{"restart web.service"});
  CHECK(row->plan.contains("file site.conf"));
}

TEST_CASE("A service that does not start rolls the whole update back and the report says which") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  daemon.machine.units.set_job("job.service", test::FakeUnits::Job::failed);
  const auto row = daemon.install(daemon.upload("shop", shop_v2(), {"token"}));
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK_FALSE(row->live);
  CHECK(row->error.contains("job.service"));
  CHECK(row->error.contains("journalctl --user -u job.service"));
  CHECK(daemon.picture() == before);
  CHECK(daemon.staged().empty());
}

TEST_CASE("A service that is unhealthy, or does not stay up, rolls the update back") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  SUBCASE("unhealthy") {
    PodmanContainer sick{.id = "1",
                         .name = "job",
                         .image = "",
                         .state = "running",
                         .unit = "job.service",
                         .health = "unhealthy",
                         .ports = {}};
    daemon.machine.podman.running.push_back(sick);
  }
  SUBCASE("it does not stay up") {
    daemon.trouble.watch = [&](const std::string& call) {
      if (call != "state job.service") return;
      std::string& state = daemon.machine.units.at("job.service").active_state;
      if (state == "active") state = "failed";
    };
  }
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(daemon.picture() == before);
}

TEST_CASE("A unit that systemd does not load rolls the update back before anything is restarted") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  daemon.trouble.watch = [&](const std::string& call) {
    if (call == "state job.service") daemon.machine.units.at("job.service").load_state = "error";
  };
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(row->error.contains("job.service was not loaded"));
  CHECK(daemon.picture() == before);
}

TEST_CASE("A first install that fails leaves nothing at all") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const std::string before = daemon.picture();
  daemon.machine.units.set_job("worker.service", test::FakeUnits::Job::failed);
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  daemon.machine.podman.volumes.clear();  // volumes stay, whoever made them
  CHECK(daemon.machine.running.empty());
  CHECK(daemon.machine.podman.stored.empty());
  CHECK(daemon.machine.podman.networks.empty());
  CHECK(daemon.staged().empty());
  CHECK_FALSE(daemon.installer().is_live("shop"));
  CHECK(daemon.picture() == before);
}

TEST_CASE("A failure before the first restart does not restart what runs") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  daemon.machine.podman.fail("put_secret", {Code::upstream_failed, "no", {}, {}});
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(std::ranges::none_of(jobs(daemon), [](const std::string& job) { return job == "restart web.service"; }));
  CHECK(running(daemon, "worker.service").contains("worker:1"));
}

TEST_CASE("A rollback goes on past a step that fails, and its failure is in the report") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  daemon.machine.units.set_job("job.service", test::FakeUnits::Job::failed);
  daemon.machine.podman.fail("remove_network", {Code::upstream_failed, "the network is in use", {}, {}});
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "failed");
  CHECK(row->error.contains("job.service"));
  CHECK(row->error.contains("the network is in use"));
  CHECK(running(daemon, "web.service").contains("localhost/web:1"));
  CHECK(running(daemon, "worker.service").contains("worker:1"));
  CHECK(daemon.machine.podman.stored.contains("extra") == false);
  CHECK(daemon.staged().empty());
}

TEST_CASE("A folder that did not go back is put back at the next start, and before the next install") {
  const TemporaryFolder folder;
  Json machine;
  std::string before;
  std::uint64_t version = 0;
  {
    Daemon daemon(folder.path(), {});
    install_shop(daemon);
    before = daemon.picture();
    daemon.set_secret("extra", "gamma");
    version = daemon.upload("shop", shop_v2(), {"token"});
    daemon.machine.units.set_job("job.service", test::FakeUnits::Job::failed);
    int exchanges = 0;
    daemon.trouble.watch = [&](const std::string& call) {
      // The exchange back fails, and no other call: two try what the file system can, one switches.
      if (call == "exchange" && ++exchanges == 4) {
        daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
      }
    };
    const auto row = daemon.install(version);
    REQUIRE(row);
    CHECK(row->state == "failed");
    CHECK(daemon.staged() == std::vector<std::string>{row->id});
    machine = daemon.machine.save();
  }
  Daemon daemon(folder.path(), machine);
  SUBCASE("start") {
    daemon.recover();
    CHECK(daemon.picture() == before);
    CHECK(daemon.staged().empty());
    const auto rows = daemon.deployments().list({});
    REQUIRE(rows);
    CHECK(rows->front().state == "rolled_back");
    CHECK_FALSE(rows->front().error.empty());
  }
  SUBCASE("install") {
    const auto row = daemon.install(version, {.retry = Retry::yes});
    REQUIRE(row);
    CHECK(row->state == "deployed");
    CHECK(running(daemon, "job.service").contains("job:1"));
    CHECK(daemon.staged() == std::vector<std::string>{row->id});
    CHECK(std::filesystem::exists(daemon.installer().staging_path(row->id) + "/worker.container"));
  }
}

TEST_CASE("A secret that another app uses goes back to the version which that app was deployed with") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.machine.units.set_job("other.service", test::FakeUnits::Job::failed);
  const Files other{{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"}};
  const auto row = daemon.install(daemon.upload("other", other));
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(daemon.machine.podman.stored.at("token").value == "alpha");
  CHECK(daemon.machine.podman.stored.at("token").labels.at("leger.version") == "1");
}

TEST_CASE("A second deployment while one runs is a conflict that names the first") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  auto second = std::make_shared<Result<std::string>>();
  auto removal = std::make_shared<Result<std::string>>();
  daemon.trouble.watch = [&](const std::string& call) {
    if (call != "restart job.service") return;
    daemon.loop.spawn(keep(daemon.deployer().install(test::at_socket(daemon.user), 1), second),
                      [](std::exception_ptr) {});
    daemon.loop.spawn(
        keep(daemon.deployer().remove(test::at_socket(daemon.user), "shop", Deployer::Volumes::keep), removal),
        [](std::exception_ptr) {});
  };
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  for (const auto& refused : {second, removal}) {
    REQUIRE_FALSE(refused->has_value());
    CHECK(refused->error().code == Code::conflict);
    CHECK(refused->error().details == "{\"id\":\"" + row->id + "\"}");
  }
}

TEST_CASE("Another account's app, and a folder that is nobody's, are a conflict") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto made = run(daemon.loop, daemon.database->write([](Connection& connection) {
    return connection.execute(
        "INSERT INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet) VALUES ('bob', '7', 'b', 't')");
  }));
  REQUIRE(made);
  const std::string owner = std::exchange(daemon.user, "bob");
  const auto theirs = daemon.install(daemon.upload("shop", {{"bob.container", "[Container]\nImage=localhost/b\n"}}));
  REQUIRE_FALSE(theirs);
  CHECK(theirs.error().code == Code::conflict);
  const auto removal = daemon.remove("shop");
  REQUIRE_FALSE(removal);
  CHECK(removal.error().code == Code::deployment_not_found);
  daemon.user = owner;
  std::filesystem::create_directories(daemon.installer().live_path("mine"));
  test::write_file(daemon.installer().live_path("mine") + "/a.container", "[Container]\nImage=localhost/a\n");
  const auto taken = daemon.install(daemon.upload("mine", {{"b.container", "[Container]\nImage=localhost/b\n"}}));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Code::conflict);
  CHECK(taken.error().action.contains("mine"));
  CHECK(daemon.staged().empty());
}

TEST_CASE("During recovery an install is answered with unavailable") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.loop.spawn(daemon.deployer().recover(), [](std::exception_ptr) { FAIL("recovery threw"); });
  const auto refused = daemon.install(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unavailable);
  CHECK(daemon.install(1));
}

TEST_CASE("A release that is not there, and a stored bundle that is damaged, are refused") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto absent = daemon.install(7);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Code::release_not_found);
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  const std::string bundle = folder / "state/releases/" + daemon.user + "/v1.tar.gz";
  test::write_file(bundle, test::read_file(bundle) + "x");
  const auto damaged = daemon.install(version);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().message.contains("damaged"));
  CHECK(daemon.staged().empty());
  CHECK(daemon.deployments().count("").value() == 0);
}

TEST_CASE("An app whose folder somebody took away is installed as a new one") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  std::filesystem::remove_all(daemon.installer().live_path("shop"));
  const auto row = daemon.install(1);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  CHECK(running(daemon, "web.service").contains("localhost/web:1"));
  CHECK(daemon.staged().empty());
}

}  // namespace leger
