#include "backend/service/preflight.h"

#include <doctest/doctest.h>

#include "backend/base/json.h"
#include "backend/service/deployer.h"
#include "backend/service/foreign_secrets.h"
#include "backend/service/policy_check.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"
#include "tests/quadlets/archives.h"
#include "tests/quadlets/policy_cases.h"

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

TEST_CASE("What the policy denies is among the findings, a drop-in for other apps too") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const Files files{{"web.container", "[Container]\nImage=localhost/web:1\nPodmanArgs=--privileged\n"},
                    {"container.d/all.conf", "[Container]\nReadOnly=false\n"}};
  const auto version = daemon.upload("shop", files);
  const std::string before = daemon.picture();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::preflight_failed);
  CHECK(Json::parse(refused.error().details).size() == 2);
  CHECK(has_finding(refused.error(), "privileged:web.container", "--privileged"));
  CHECK(has_finding(refused.error(), "foreign-dropin:container.d/all.conf", "container.d"));
  check_untouched(daemon, before);
}

TEST_CASE("A denial that this host allows becomes something to be accepted") {
  const TemporaryFolder folder;
  test::write_file(folder / "web.container", "[Container]\n");
  PolicySettings settings{.host = test::places_of({}), .allow_dangerous = {"shop:privileged"}};
  const PolicyQuestion question{.app = "shop", .staged_folder = folder.path(), .live_folder = "/live/shop"};
  Generation staged;
  staged.files = {{"web.container", ""}};
  const std::string text = "[Service]\nExecStart=/usr/bin/podman run --name web --privileged --pid host localhost/x\n";
  const DryRun run{.units = {{"web.service", folder / "web.container", text}}, .problems = {}};
  const auto findings = ask_policy(settings, question, staged, run, {});
  REQUIRE(findings);
  CHECK(test::verdicts(*findings) == std::set<std::string>{"flagged privileged", "denied host-pid"});
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

TEST_CASE("A container that somebody made by hand is replaced only where that is accepted") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  const auto version = daemon.upload("shop", {{"web.container", "[Container]\nImage=localhost/web:1\n"}});
  daemon.machine.podman.running.push_back(
      {.id = "1", .name = "web", .image = "", .state = "", .unit = "", .health = {}, .ports = {}});
  const std::string before = daemon.picture();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::confirmation_required);
  CHECK(Json::parse(refused.error().details).at(0).at("id") == "container-exists:web.container");
  check_untouched(daemon, before);
  const auto accepted = daemon.install(version, {.accept_flags = {"container-exists:web.container"}});
  REQUIRE(accepted);
  CHECK(accepted->state == "deployed");
  daemon.machine.podman.running.front().unit = "web.service";
  CHECK(daemon.install(version));
}

TEST_CASE("A Podman secret that Leger did not make for this account is a conflict") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  daemon.machine.podman.stored["token"] = {"1", "theirs", {}};
  const char* way_out = "--adopt";
  SUBCASE("without labels") {}
  SUBCASE("of another account") {
    daemon.machine.podman.stored["token"].labels["leger.user"] = "bob";
    way_out = "another account";
  }
  const std::string before = daemon.picture();
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().action.contains(way_out));
  check_untouched(daemon, before);
}

TEST_CASE("Only what is nobody's may be adopted") {
  const std::map<std::string, std::uint64_t> wanted{{"token", 1}};
  const auto is_fine = [&wanted](const std::map<std::string, std::string>& labels, Adopt adopt) {
    return check_foreign(foreign_secrets({{"1", "token", labels}}, "alice", wanted), adopt).has_value();
  };
  CHECK_FALSE(is_fine({}, Adopt::no));
  CHECK(is_fine({}, Adopt::yes));
  CHECK(is_fine({{"leger.user", "alice"}}, Adopt::no));
  CHECK_FALSE(is_fine({{"leger.user", "bob"}}, Adopt::yes));
  CHECK(foreign_secrets({{"1", "another", {}}}, "alice", wanted).empty());
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
