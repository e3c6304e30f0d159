// What a deployment holds on to of the releases, and what happens to it when its release goes.

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>

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
using test::shop_v2;
using test::TemporaryFolder;

Result<void> remove_release(Daemon& daemon, std::uint64_t version) {
  return run(daemon.loop, daemon.deploy_parts().releases.remove(at_socket(daemon.user), version));
}

Task<void> keep(Task<Result<void>> removal, std::shared_ptr<Result<void>> outcome) { *outcome = co_await removal; }

// Asks for the deletion as soon as the deployment makes that call; its outcome, once the loop has run.
std::shared_ptr<Result<void>> remove_at(Daemon& daemon, const std::string& wanted, std::uint64_t version) {
  auto outcome = std::make_shared<Result<void>>(Fail({Code::internal_error, "the call never came", {}, {}}));
  daemon.trouble.watch = [&daemon, wanted, version, outcome, is_done = false](const std::string& call) mutable {
    if (call != wanted || std::exchange(is_done, true)) return;
    daemon.loop.spawn(keep(daemon.deploy_parts().releases.remove(at_socket(daemon.user), version), outcome),
                      [](std::exception_ptr) {});
  };
  return outcome;
}

}  // namespace

TEST_CASE("A release that runs or can be rolled back to is not deleted, and the refusal names the app") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);  // release 1
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.install(daemon.upload("shop", shop_v2(), {"token"}))->state == "deployed");
  for (const std::uint64_t version : {1, 2}) {
    const auto refused = remove_release(daemon, version);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::conflict);
    CHECK(refused.error().details == R"({"apps":["shop"]})");
  }
  REQUIRE(daemon.remove("shop"));
  CHECK(remove_release(daemon, 1));
  CHECK(remove_release(daemon, 2));
}

TEST_CASE("A release that is deleted while its deployment is prepared is not deployed, and nothing is left") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  const auto removed = remove_at(daemon, "unit_files", version);
  const auto refused = daemon.install(version);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::release_not_found);
  CHECK(removed->has_value());
  CHECK(daemon.staged().empty());
  CHECK(running(daemon, "web.service").empty());
  CHECK(daemon.deployments().count("shop") == 0U);
}

TEST_CASE("A release that is being deployed is not deleted, and gets there whole") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  const auto removed = remove_at(daemon, "restart web.service", version);
  const auto row = daemon.install(version);
  REQUIRE(row);
  CHECK(row->state == "deployed");
  REQUIRE_FALSE(removed->has_value());
  CHECK(removed->error().code == Code::conflict);
}

TEST_CASE("A deployment whose bundle is gone says so; one whose release is gone as well says that") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  ReleaseService& releases = daemon.deploy_parts().releases;
  std::filesystem::remove(releases.path_of(*releases.get(daemon.user, version)));
  CHECK(daemon.install(version).error().code == Code::internal_error);
  REQUIRE(remove_release(daemon, version));
  CHECK(daemon.install(version).error().code == Code::release_not_found);
}

}  // namespace leger
