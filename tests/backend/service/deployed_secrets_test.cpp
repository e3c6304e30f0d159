// What a deployment holds on to of the vault, and what it leaves on record.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/backend/service/apps.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::at_socket;
using test::Daemon;
using test::install_shop;
using test::run;
using test::running;
using test::shop_v1;
using test::TemporaryFolder;

Result<std::string> remove_secret(Daemon& daemon, const std::string& name) {
  return run(daemon.loop, daemon.secrets().remove(at_socket(daemon.user), name));
}

bool is_kept(Daemon& daemon, std::uint64_t version) {
  return run(daemon.loop, daemon.secrets().read(at_socket(daemon.user), "token", version)).has_value();
}

// More values than are kept of a secret.
void set_often(Daemon& daemon) {
  for (int i = 0; i < 12; ++i) daemon.set_secret("token", "value " + std::to_string(i));
}

}  // namespace

TEST_CASE("The value that a live app was made with stays, however many come after it, and the one before it too") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);  // with version 1
  set_often(daemon);     // 2 to 13
  CHECK(is_kept(daemon, 1));
  CHECK_FALSE(is_kept(daemon, 3));
  REQUIRE(daemon.install(daemon.upload("shop", shop_v1(), {"token"}))->state == "deployed");  // with version 13
  CHECK(running(daemon, "web.service").contains("token: value 11"));
  set_often(daemon);  // 14 to 25
  CHECK(is_kept(daemon, 1));
  CHECK(is_kept(daemon, 13));
  CHECK_FALSE(is_kept(daemon, 14));
  REQUIRE(daemon.install(daemon.upload("shop", shop_v1(), {"token"}))->state == "deployed");  // with version 25
  set_often(daemon);                                                                          // 26 to 37
  CHECK_FALSE(is_kept(daemon, 1));
  CHECK(is_kept(daemon, 13));
  CHECK(is_kept(daemon, 25));
  REQUIRE(daemon.remove("shop")->state == "removed");
  daemon.set_secret("token", "last");
  CHECK_FALSE(is_kept(daemon, 13));
  CHECK_FALSE(is_kept(daemon, 25));
}

TEST_CASE("A secret of a deployed app is not deleted, and the refusal names the app; after its removal it is") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const auto refused = remove_secret(daemon, "token");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().message.contains("shop"));
  CHECK(refused.error().details == R"({"apps":["shop"]})");
  CHECK(is_kept(daemon, 1));
  CHECK(daemon.audit().entries("secret.delete").front().record.outcome == "conflict");
  REQUIRE(daemon.remove("shop"));
  CHECK(remove_secret(daemon, "token"));
}

TEST_CASE("A deployment that failed holds on to nothing") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  daemon.machine.units.set_job("web.service", test::FakeUnits::Job::failed);
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  REQUIRE(row->state == "rolled_back");
  CHECK(remove_secret(daemon, "token"));
}

TEST_CASE("A deployment is on record with its end, and so is each secret that it read") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  REQUIRE(daemon.remove("shop"));
  const auto installs = daemon.audit().entries("deployment.install");
  REQUIRE(installs.size() == 2);
  CHECK(installs.at(1).record.outcome == "started");
  CHECK(installs.at(1).record.source == "socket");
  CHECK(installs.at(1).record.request_id == "request-1");
  CHECK(installs.at(0).record.outcome == "deployed");
  CHECK(installs.at(0).record.object == "shop");
  CHECK(installs.at(0).record.version == 1U);
  const auto reads = daemon.audit().entries("secret.read");
  REQUIRE(reads.size() == 1);
  CHECK(reads.front().record.actor == daemon.user);
  CHECK(reads.front().record.source.starts_with("deployment "));
  CHECK(reads.front().record.source == installs.at(0).record.source);
  CHECK(daemon.audit().entries("deployment.remove").front().record.outcome == "removed");
  CHECK_FALSE(run(daemon.loop, daemon.audit().log.verify())->first_bad);
}

}  // namespace leger
