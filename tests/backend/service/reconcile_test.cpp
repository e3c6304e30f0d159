// What a start makes of Podman's secrets, and what a look-up by Podman is answered.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "backend/service/deployer.h"
#include "backend/service/secret_lookup.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::Daemon;
using test::install_shop;
using test::jobs;
using test::run;
using test::TemporaryFolder;

std::string value_of(Daemon& daemon, const std::string& name) {
  const auto found = daemon.machine.podman.stored.find(name);
  return found == daemon.machine.podman.stored.end() ? "none" : found->second.value;
}

}  // namespace

TEST_CASE("A start gives Podman the secrets of live apps in the version that they were deployed with") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  daemon.set_secret("token", "beta");
  auto& stored = daemon.machine.podman.stored;
  SUBCASE("one is not there") { stored.erase("token"); }
  SUBCASE("one has another version") {
    stored.at("token").value = "beta";
    stored.at("token").labels["leger.version"] = "2";
  }
  SUBCASE("one that no app uses is left") {
    stored["old"] = {"7", "x", {{"leger.user", daemon.user}, {"leger.name", "old"}, {"leger.version", "3"}}};
  }
  daemon.recover();
  CHECK(daemon.picture() == before);
  CHECK(jobs(daemon).empty());
  daemon.trouble.calls.clear();
  daemon.recover();  // and finds nothing more to do
  CHECK(std::ranges::none_of(daemon.trouble.calls, [](const std::string& call) { return call.contains("_secret"); }));
}

TEST_CASE("What is not Leger's is left alone by a start, under a wanted name too") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.machine.podman.stored["token"] = {"8", "theirs", {}};
  daemon.machine.podman.stored["mine"] = {"9", "mine", {{"some", "label"}}};
  daemon.recover();
  CHECK(value_of(daemon, "token") == "theirs");
  CHECK(value_of(daemon, "mine") == "mine");
}

TEST_CASE("A secret that another driver keeps is made anew at a start") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.machine.podman.kept_otherwise.insert("token");
  daemon.recover();
  CHECK(daemon.machine.podman.kept_otherwise.empty());
  CHECK(value_of(daemon, "token") == "alpha");
  const auto& calls = daemon.trouble.calls;
  const auto removed = std::ranges::find(calls, "remove_secret token");
  CHECK(std::ranges::find(removed, calls.end(), "put_secret token") != calls.end());
}

TEST_CASE("Where Podman keeps no values it gets none, and nothing is on record as read") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.machine.podman.takes_values = false;
  install_shop(daemon);
  CHECK(value_of(daemon, "token") == "legerd");
  CHECK(daemon.machine.podman.stored.at("token").labels.at("leger.version") == "1");
  CHECK(daemon.audit().count("secret.read") == 0);
}

TEST_CASE("Where Podman does not answer at a start, it is asked again, and a stop ends the waiting") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.machine.podman.stored.clear();
  daemon.machine.podman.stop();
  int asked = 0;
  daemon.trouble.watch = [&](const std::string& call) {
    if (call == "secrets" && ++asked == 2) daemon.deployer().stop();
  };
  SUBCASE("it comes") {
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "secrets" && ++asked == 2) daemon.machine.podman.mend();
    };
    daemon.recover();
    CHECK(value_of(daemon, "token") == "alpha");
  }
  SUBCASE("legerd stops") {
    daemon.recover();
    CHECK(value_of(daemon, "token") == "none");
  }
  CHECK(asked >= 2);
}

TEST_CASE("Secrets that a rollback could not put back are put back a little later, without a restart") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  SUBCASE("of an install") {
    daemon.set_secret("extra", "gamma");
    const auto version = daemon.upload("shop", test::shop_v2(), {"token"});
    daemon.machine.units.set_job("job.service", test::FakeUnits::Job::failed);
    int puts = 0;
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "put_secret token" && ++puts == 2) {
        daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
      }
    };
    const auto row = daemon.install(version);
    REQUIRE(row);
    CHECK(row->state == "failed");
  }
  SUBCASE("of a sync") {
    daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
    int puts = 0;
    daemon.trouble.watch = [&](const std::string& call) {
      if (call == "put_secret token" && ++puts == 2) {
        daemon.trouble.fail_before = static_cast<int>(daemon.trouble.calls.size());
        daemon.machine.units.set_job("web.service", test::FakeUnits::Job::done);
      }
    };
    const auto id = run(daemon.loop, daemon.deployer().sync(test::at_socket(daemon.user)));
    REQUIRE(id);
    const auto row = daemon.deployments().get(*id);
    REQUIRE(row);
    CHECK(row->state == "failed");
  }
  CHECK(value_of(daemon, "token") == "alpha");
  CHECK(daemon.machine.podman.stored.at("token").labels.at("leger.version") == "1");
}

TEST_CASE("Podman is answered the version that a live app was made with, and no other, and it is on record") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  daemon.set_secret("token", "beta");
  daemon.set_secret("unused", "x");
  SecretLookup lookup(daemon.secrets(), daemon.deployments());
  const auto answer = [&](const std::string& name, std::uint64_t version) {
    return run(daemon.loop, lookup.answer({.user_uuid = daemon.user, .name = name, .version = version}, "request-2"));
  };
  const auto value = answer("token", 1);
  REQUIRE(value);
  CHECK(value->reveal() == "alpha");
  CHECK(answer("token", 2).error().code == Code::secret_not_found);
  CHECK(answer("unused", 1).error().code == Code::secret_not_found);
  CHECK(answer("../x", 1).error().code == Code::invalid_secret_name);
  CHECK(
      run(daemon.loop, lookup.answer({.user_uuid = "bob", .name = "token", .version = 1}, "request-3")).error().code ==
      Code::secret_not_found);
  const auto entries = daemon.audit().entries("secret.lookup");
  REQUIRE(entries.size() == 4);
  CHECK(entries.back().record.actor == daemon.user);
  CHECK(entries.back().record.source == "podman");
  CHECK(entries.back().record.version == 1U);
  CHECK(entries.back().record.outcome == "ok");
  CHECK(entries.front().record.outcome == "secret_not_found");
  REQUIRE(daemon.remove("shop"));
  CHECK_FALSE(answer("token", 1));
}

}  // namespace leger
