#include "backend/service/preflight.h"

#include <doctest/doctest.h>

#include "backend/base/json.h"
#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::Daemon;
using test::Files;
using test::shop_v1;
using test::TemporaryFolder;

// Nothing of a refused install is left.
void check_untouched(Daemon& daemon, const std::string& picture) {
  CHECK(daemon.picture() == picture);
  CHECK(daemon.staged().empty());
  REQUIRE(daemon.deployments().count(""));
  CHECK(*daemon.deployments().count("") == 0);
}

bool has_finding(const Error& error, const std::string& id, const std::string& part_of_message) {
  for (const Json& finding : Json::parse(error.details)) {
    const bool here = text_field(finding, "id") == id && text_field(finding, "level") == "denied";
    if (here && text_field(finding, "message").value_or("").contains(part_of_message)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("All findings come at once, and nothing is touched") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const Files files{{"web.container", "[Container]\nImage=localhost/web:1\nSecret=from_unit\n"},
                    {"broken.container", "[Container]\nImage=localhost/x\nBadKey=1\n"},
                    {"dbus.container", "[Container]\nImage=localhost/dbus\n"}};
  const auto version = daemon.upload("shop", files, {"from_manifest"});
  const std::string before = daemon.picture();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::preflight_failed);
  CHECK(Json::parse(refused.error().details).size() == 4);
  CHECK(has_finding(refused.error(), "missing-secret:from_unit", "leger secrets set from_unit -"));
  CHECK(has_finding(refused.error(), "missing-secret:from_manifest", "from_manifest"));
  CHECK(has_finding(refused.error(), "no-unit:broken.container", "unsupported key 'BadKey'"));
  CHECK(has_finding(refused.error(), "unit-taken:dbus.container", "dbus.service"));
  CHECK(refused.error().message.contains("(and 3 more)"));
  check_untouched(daemon, before);
}

TEST_CASE("A quadlet that another app has already is a finding, also before systemd has read it") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  REQUIRE(daemon.install(daemon.upload("first", {{"web.container", "[Container]\nImage=localhost/a\n"}})));
  const auto version = daemon.upload("second", {{"web.container", "[Container]\nImage=localhost/b\n"}});
  SUBCASE("systemd knows it") {}
  SUBCASE("systemd does not") {
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "unit_files") daemon.machine.units.at("web.service").load_state = "not-found";
    };
  }
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(has_finding(refused.error(), "unit-taken:web.container", "web.service"));
}

TEST_CASE("A Podman secret that Leger did not make for this account is a conflict") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  daemon.machine.podman.stored["token"] = {"1", "theirs", {}};
  SUBCASE("without labels") {}
  SUBCASE("of another account") { daemon.machine.podman.stored["token"].labels["leger.user"] = "bob"; }
  const std::string before = daemon.picture();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().action.contains("podman secret rm token"));
  check_untouched(daemon, before);
}

TEST_CASE("Where Podman, the generator or systemd do not answer, the install says so and leaves nothing") {
  const TemporaryFolder folder;
  bool generator_is_there = true;
  SUBCASE("no generator") { generator_is_there = false; }
  SUBCASE("no Podman") {}
  Daemon daemon(folder.path(), {}, generator_is_there);
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  const std::string before = daemon.picture();
  if (generator_is_there) daemon.machine.podman.stop();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == (generator_is_there ? Code::upstream_failed : Code::unavailable));
  CHECK_FALSE(refused.error().action.empty());
  daemon.machine.podman.mend();
  check_untouched(daemon, before);
}

TEST_CASE("Without systemd an install is refused and leaves nothing") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  const std::string before = daemon.picture();
  daemon.trouble.watch = [&](const std::string& call) {
    if (call == "unit_files") daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
  };
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::upstream_failed);
  check_untouched(daemon, before);
}

}  // namespace leger
