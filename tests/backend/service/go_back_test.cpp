// Images of deployments, and going back to the generation before, on the host in memory.

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

void move_name(Daemon& daemon, const std::string& name, const std::string& id) {
  if (id_of(daemon, id).empty()) daemon.machine.podman.local_images.push_back({.id = id, .names = {}});
  REQUIRE(run(daemon.loop, daemon.machine.podman.tag_image(id, name)));
}

void install_both(Daemon& daemon) {
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.install(daemon.upload("shop", shop_v2(), {"token"}))->state == "deployed");
}

bool keeps(const Daemon& daemon, const std::string& id) { return id_of(daemon, "localhost/leger-keep:" + id) == id; }

}  // namespace

TEST_CASE("Going back brings release, files, secrets and units of before, and a second time forward again") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string first = daemon.picture();
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.install(daemon.upload("shop", shop_v2(), {"token"}))->state == "deployed");
  const std::string second = daemon.picture();
  REQUIRE(first != second);
  for (const std::string& expected : {first, second, first}) {
    const auto row = daemon.go_back("shop");
    REQUIRE(row);
    CHECK(row->kind == "rollback");
    CHECK(row->state == "deployed");
    CHECK(daemon.picture() == expected);
    CHECK(daemon.staged() == std::vector<std::string>{row->id});
  }
}

TEST_CASE("A release that is deployed again as it is leaves what there is to go back to") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string first = daemon.picture();
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  const auto second = daemon.upload("shop", shop_v2(), {"token"});
  for (int i = 0; i < 3; ++i) REQUIRE(daemon.install(second)->state == "deployed");
  CHECK(daemon.go_back("shop")->version == 1);
  CHECK(daemon.picture() == first);
}

TEST_CASE("There is nothing to go back to after the first install, and no app where none is") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  CHECK(daemon.go_back("shop").error().code == Code::deployment_not_found);
  install_shop(daemon);
  CHECK(daemon.go_back("shop").error().code == Code::conflict);
  CHECK(daemon.deployments().count("") == 1U);
  CHECK(daemon.staged().empty());
}

TEST_CASE("A rollback does not replace what somebody made by hand meanwhile") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_both(daemon);
  const std::string before = daemon.picture();
  daemon.machine.podman.running.push_back(
      {.id = "1", .name = "worker", .image = "", .state = "", .unit = "", .health = {}, .ports = {}});
  const auto refused = daemon.go_back("shop");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::preflight_failed);
  CHECK(refused.error().message.contains("podman rename worker"));
  CHECK(daemon.picture() == before);
  daemon.machine.podman.running.clear();
  CHECK(daemon.go_back("shop")->state == "deployed");
}

TEST_CASE("A rollback that fails comes back to what was live, and can be tried again") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_both(daemon);
  const std::string before = daemon.picture();
  daemon.machine.units.set_job("worker.service", FakeUnits::Job::failed);
  const auto row = daemon.go_back("shop");
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(row->error.contains("worker.service"));
  CHECK(daemon.picture() == before);
  daemon.machine.units.set_job("worker.service", FakeUnits::Job::done);
  CHECK(daemon.go_back("shop")->state == "deployed");
}

TEST_CASE("An image whose name moved is run again by the release that ran with it, and kept as long as it may be") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  move_name(daemon, "localhost/web:1", "one");
  install_shop(daemon);
  CHECK(running(daemon, "web.service").contains("image one\n"));
  move_name(daemon, "localhost/web:1", "two");
  REQUIRE(daemon.install(1)->state == "deployed");
  CHECK(running(daemon, "web.service").contains("image two\n"));
  CHECK(keeps(daemon, "one"));
  CHECK(keeps(daemon, "two"));
  const auto row = daemon.go_back("shop");
  REQUIRE(row);
  CHECK(row->plan.contains(R"({"image":"localhost/web:1","id":"one","digest":""})"));
  CHECK(running(daemon, "web.service").contains("image one\n"));
  CHECK(id_of(daemon, "localhost/web:1") == "one");
  move_name(daemon, "localhost/web:1", "three");
  daemon.machine.units.set_job("web.service", FakeUnits::Job::failed);
  CHECK(daemon.install(1)->state != "deployed");
  CHECK(id_of(daemon, "localhost/web:1") == "one");
  CHECK_FALSE(keeps(daemon, "three"));
  REQUIRE(daemon.remove("shop"));
  CHECK_FALSE(keeps(daemon, "one"));
  CHECK_FALSE(keeps(daemon, "two"));
}

// The images below are of a registry, and without a digest.
const InstallOptions kAccepting{.accept_flags = {"image-without-digest:web.container"}};

TEST_CASE("A rollback whose image is gone touches nothing, unless its digest can be pulled") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const std::string digest = "registry.example/web@sha256:d1";
  Files files{{"web.container", "[Container]\nImage=registry.example/web:1\n"}};
  daemon.machine.podman.local_images = {{.id = "image of " + digest, .names = {"registry.example/web:1", digest}}};
  REQUIRE(daemon.install(daemon.upload("site", files), kAccepting)->state == "deployed");
  files["more.conf"] = "x";
  files["web.container"] += "Environment=A=1\n";
  REQUIRE(daemon.install(daemon.upload("site", files), kAccepting)->state == "deployed");
  daemon.machine.podman.local_images = {{.id = "new", .names = {"registry.example/web:1"}}};
  const std::string before = daemon.picture();
  daemon.machine.podman.fail("pull_image", {Code::upstream_failed, "no such manifest", {}, {}});
  const auto row = daemon.go_back("site");
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(row->error.contains("no such manifest"));
  CHECK(running(daemon, "web.service").contains("A=1"));
  daemon.machine.podman.mend();
  CHECK(daemon.go_back("site")->state == "deployed");
  CHECK(running(daemon, "web.service").contains("image image of " + digest));
}

TEST_CASE("An image that cannot be pulled, or must not be, ends the deployment before anything is touched") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  std::string pull;
  SUBCASE("refused") { daemon.machine.podman.fail("pull_image", {Code::upstream_failed, "no such manifest", {}, {}}); }
  SUBCASE("never") { pull = "Pull=never\n"; }
  const std::string before = daemon.picture();
  const auto row = daemon.install(
      daemon.upload("site", {{"web.container", "[Container]\nImage=registry.example/web:1\n" + pull}}), kAccepting);
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(row->error.contains(pull.empty() ? "no such manifest" : "never pulled"));
  CHECK(daemon.picture() == before);
  CHECK(daemon.staged().empty());
  CHECK(jobs(daemon).empty());
}

TEST_CASE("A name without a registry is denied, unless the image is there") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = daemon.upload("site", {{"web.container", "[Container]\nImage=web:1\n"}});
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().details.contains("short-image:web.container"));
  move_name(daemon, "localhost/web:1", "one");
  CHECK(daemon.install(version, kAccepting)->state == "deployed");
}

}  // namespace leger::test
