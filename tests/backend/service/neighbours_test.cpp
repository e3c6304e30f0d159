// What a deployment that fails, or a pull, must not do to what else is on the host: units that systemd stopped along,
// images and secrets of others.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "quadlets/image_names.h"
#include "tests/backend/service/apps.h"

namespace leger::test {
namespace {

std::string id_of(const Daemon& daemon, const std::string& name) {
  return image_id(daemon.machine.podman.local_images, name);
}

void give_name(Daemon& daemon, const std::string& name, const std::string& id) {
  daemon.machine.podman.local_images.push_back({.id = id, .names = {}});
  REQUIRE(run(daemon.loop, daemon.machine.podman.tag_image(id, name)));
}

Files web(const std::string& lines) { return {{"web.container", "[Container]\nImage=localhost/web:1\n" + lines}}; }

}  // namespace

TEST_CASE("A service that went down along with a unit that was stopped comes back when the deployment does not go on") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("extra", "gamma");
  const auto version = daemon.upload("shop", shop_v2(), {"token"});
  // As systemd does to what requires a unit that stops.
  daemon.trouble.watch = [&daemon](const std::string& call) {
    if (call != "stop worker.service") return;
    daemon.machine.units.at("web.service").active_state = "inactive";
    daemon.machine.stopped("web.service");
  };
  daemon.machine.units.set_reload_failures(1);
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(daemon.picture() == before);
}

TEST_CASE("Another app that does not come up puts nobody's release into quarantine") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  const auto version =
      daemon.upload("other", {{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"}});
  daemon.machine.units.set_job("web.service", FakeUnits::Job::failed);
  REQUIRE(daemon.install(version));
  daemon.machine.units.set_job("web.service", FakeUnits::Job::done);
  const auto again = daemon.install(version);
  REQUIRE(again);
  CHECK(again->state == "deployed");
}

TEST_CASE("An image that is found to be another when it is asked for is run, and both are kept") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = daemon.upload("site", web("Pull=newer\n"));
  REQUIRE(daemon.install(version)->state == "deployed");
  const std::string first = id_of(daemon, "localhost/web:1");
  const auto row = daemon.install(version);
  REQUIRE(row);
  const std::string second = id_of(daemon, "localhost/web:1");
  REQUIRE(first != second);
  CHECK(Json::parse(row->plan)["restart"] == Json{"web.service"});
  CHECK(daemon.machine.running.at("web.service").contains("image " + second + "\n"));
  for (const std::string& id : {first, second}) CHECK(id_of(daemon, "localhost/leger-keep:" + id) == id);
  CHECK(daemon.go_back("site")->state == "deployed");
  CHECK(daemon.machine.running.at("web.service").contains("image " + first + "\n"));
}

TEST_CASE("A deployment that fails leaves a name to another app that runs with what it names now") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  give_name(daemon, "localhost/web:1", "one");
  REQUIRE(daemon.install(daemon.upload("site", web("")))->state == "deployed");
  give_name(daemon, "localhost/web:1", "two");
  REQUIRE(daemon.install(daemon.upload("blog", {{"blog.container", "[Container]\nImage=localhost/web:1\n"}}))->state ==
          "deployed");
  daemon.machine.units.set_reload_failures(1);
  CHECK(daemon.install(daemon.upload("site", web("Environment=A=1\n")))->state == "rolled_back");
  CHECK(id_of(daemon, "localhost/web:1") == "two");
}

TEST_CASE("A secret that was taken over stays when the deployment fails, and when the app goes") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  daemon.machine.podman.stored["token"] = {"1", "theirs", {}};
  daemon.machine.units.set_reload_failures(1);
  REQUIRE(daemon.install(version, {.adopt = Adopt::yes}));
  CHECK(daemon.machine.podman.stored.contains("token"));
  REQUIRE(daemon.install(version, {.adopt = Adopt::yes})->state == "deployed");
  REQUIRE(daemon.remove("shop")->state == "removed");
  daemon.recover();
  CHECK(daemon.machine.podman.stored.contains("token"));
}

}  // namespace leger::test
