#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

// What a removal takes, leaves, and does where it cannot go on.

namespace leger {
namespace {

using test::Daemon;
using test::Files;
using test::install_shop;
using test::running;
using test::TemporaryFolder;

}  // namespace

TEST_CASE("A removal takes units, folder, networks and secrets, and leaves volumes and releases") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto row = daemon.remove("shop");
  REQUIRE(row);
  CHECK(row->state == "removed");
  CHECK(row->error.empty());
  CHECK(daemon.machine.running.empty());
  CHECK(daemon.machine.podman.stored.empty());
  CHECK(daemon.machine.podman.networks.empty());
  CHECK(daemon.machine.podman.volumes == std::set<std::string>{"systemd-data"});
  CHECK_FALSE(std::filesystem::exists(daemon.installer().live_path("shop")));
  CHECK(daemon.staged().empty());
  CHECK(daemon.deployments().live()->empty());
  const auto again = daemon.remove("shop");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::deployment_not_found);
  CHECK(daemon.install(1)->state == "deployed");
}

TEST_CASE("A removal with volumes takes them too, and a secret that another app uses stays") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const Files other{{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"}};
  REQUIRE(daemon.install(daemon.upload("other", other)));
  const auto row = daemon.remove("shop", Deployer::Volumes::remove);
  REQUIRE(row);
  CHECK(row->state == "removed");
  CHECK(daemon.machine.podman.volumes.empty());
  CHECK(daemon.machine.podman.stored.contains("token"));
  CHECK(running(daemon, "other.service").contains("token: alpha"));
  CHECK(daemon.remove("other")->state == "removed");
  CHECK(daemon.machine.podman.stored.empty());
}

TEST_CASE("A removal is refused untouched where Podman or systemd do not answer") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  const auto count = daemon.deployments().count("").value_or(99);
  SUBCASE("Podman") { daemon.machine.podman.stop(); }
  SUBCASE("systemd") {
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "unit_files") daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
    };
  }
  const auto refused = daemon.remove("shop");
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().action.empty());
  CHECK(daemon.picture() == before);
  CHECK(daemon.deployments().count("") == count);
}

TEST_CASE("What a removal cannot take along is named, and a second removal takes it") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.machine.podman.in_use.insert("systemd-net");
  const auto row = daemon.remove("shop");
  REQUIRE(row);
  CHECK(row->state == "failed");
  CHECK(row->error.contains("systemd-net"));
  CHECK(row->error.contains("leger deploy remove shop"));
  CHECK(daemon.machine.podman.stored.empty());
  CHECK(daemon.staged().empty());
  daemon.machine.podman.in_use.clear();
  const auto second = daemon.remove("shop");
  REQUIRE(second);
  CHECK(second->state == "removed");
  CHECK(daemon.machine.podman.networks.empty());
}

TEST_CASE("A removal that cannot stop a unit puts the app back, and says so") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.trouble.watch = [&](const std::string& call) {
    if (call == "stop worker.service") daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
  };
  const auto row = daemon.remove("shop");
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK_FALSE(row->error.empty());
  CHECK(daemon.picture() == before);
  CHECK(daemon.staged().empty());
}

}  // namespace leger
