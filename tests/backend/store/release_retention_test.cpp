// Releases that go: deleted, or beyond the newest that are kept; and what holds on to them.

#include <set>
#include <string>

#include "backend/store/deployments.h"
#include "tests/backend/store/release_store.h"

using namespace leger;
using namespace leger::test;

namespace {

struct DeployedStore : ReleaseStore {
  // A deployment of the release `version`, in the state that the rest of its row tells.
  Deployment deployment(const std::string& id, const std::string& name, std::uint64_t version) {
    return {.id = id,
            .user_uuid = kAlice,
            .name = name,
            .version = version,
            .kind = "install",
            .state = "staging",
            .created_at = kNow};
  }
  Result<void> begin(Deployment added) {
    Deployments deployments(database());
    return run(deployments.add(std::move(added), audit_record("deployment.install", "app")));
  }
  void finish(Deployment row, const std::string& state, bool live) {
    Deployments deployments(database());
    row.state = state;
    row.finished_at = kLater;
    row.live = live;
    REQUIRE(run(deployments.update(std::move(row))).has_value());
  }
  void deploy(const std::string& id, const std::string& name, std::uint64_t version) {
    REQUIRE(begin(deployment(id, name, version)).has_value());
    finish(deployment(id, name, version), "deployed", true);
  }
  std::string all(const std::string& user = kAlice) { return versions({.user_uuid = user, .deployment_name = ""}); }
  std::uint64_t latest() {
    const auto release = releases().latest(kAlice, "");
    return release ? release->version : 0;
  }
};

}  // namespace

TEST_CASE("a deleted release is gone with its manifest, and on record") {
  DeployedStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  REQUIRE(store.add(kAlice, "web", 2).has_value());
  const auto removed = store.remove(kAlice, 1);
  REQUIRE(removed.has_value());
  CHECK(removed->r2_path == kAlice + "/v1.tar.gz");
  CHECK(store.releases().get(kAlice, 1).error().code == Code::release_not_found);
  CHECK(store.number("SELECT count(*) FROM manifests") == 1);
  CHECK(store.audit() == "release.add app 1\nrelease.add web 2\nrelease.delete app 1\n");
  CHECK(store.verify().first_bad == std::nullopt);
  const auto again = store.remove(kAlice, 1);
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Code::release_not_found);
  CHECK(store.audit().ends_with("release.delete app 1\n"));
}

TEST_CASE("the latest pointer goes to the newest that is left") {
  DeployedStore store;
  for (int i = 1; i <= 4; ++i) REQUIRE(store.add(kAlice, i == 3 ? "web" : "app", i).has_value());
  REQUIRE(store.remove(kAlice, 2).has_value());
  CHECK(store.latest() == 4);
  REQUIRE(store.remove(kAlice, 4).has_value());
  CHECK(store.latest() == 3);
  CHECK(store.releases().latest(kAlice, "app")->version == 1);
  REQUIRE(store.remove(kAlice, 3).has_value());
  CHECK(store.latest() == 1);
  REQUIRE(store.remove(kAlice, 1).has_value());
  CHECK(store.latest() == 0);
  CHECK(store.number("SELECT count(*) FROM latest_manifests") == 0);
  CHECK(store.add(kAlice, "app", 4)->release.version == 5);
}

TEST_CASE("a foreign release cannot be deleted") {
  DeployedStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  CHECK(store.remove(kBob, 1).error().code == Code::release_not_found);
  CHECK(store.releases().get(kAlice, 1).has_value());
}

TEST_CASE("what is being deployed, runs or is kept for a rollback cannot be deleted, and the refusal names the apps") {
  DeployedStore store;
  for (int i = 1; i <= 3; ++i) REQUIRE(store.add(kAlice, "app", i).has_value());
  REQUIRE(store.begin(store.deployment("d1", "app", 1)).has_value());
  const auto unfinished = store.remove(kAlice, 1);
  REQUIRE_FALSE(unfinished.has_value());
  CHECK(unfinished.error().code == Code::conflict);
  CHECK(unfinished.error().details == R"({"apps":["app"]})");
  CHECK(unfinished.error().message.ends_with(" of app"));
  store.finish(store.deployment("d1", "app", 1), "deployed", true);
  CHECK(store.remove(kAlice, 1).error().code == Code::conflict);
  store.deploy("d2", "app", 2);
  CHECK(store.remove(kAlice, 1).error().code == Code::conflict);  // kept
  CHECK(store.remove(kAlice, 2).error().code == Code::conflict);
  CHECK(store.latest() == 3);
  store.deploy("d3", "app", 3);
  CHECK(store.remove(kAlice, 1).has_value());
  CHECK(store.remove(kAlice, 2).error().code == Code::conflict);
  REQUIRE(store.begin(store.deployment("d4", "app", 3)).has_value());
  store.finish(store.deployment("d4", "app", 3), "removed", false);
  CHECK(store.remove(kAlice, 2).has_value());
  CHECK(store.remove(kAlice, 3).has_value());
}

TEST_CASE("another user's deployment of the same number holds on to nothing") {
  DeployedStore store;
  REQUIRE(store.add(kBob, "app", 1).has_value());
  store.deploy("d1", "app", 1);
  CHECK(store.remove(kBob, 1).has_value());
}

TEST_CASE("the newest of a name stay, and what a deployment holds on to") {
  DeployedStore store;
  for (int i = 1; i <= 5; ++i) REQUIRE(store.add(kAlice, "app", i).has_value());
  REQUIRE(store.add(kAlice, "web", 6).has_value());
  REQUIRE(store.add(kBob, "app", 7).has_value());
  store.deploy("d1", "app", 1);
  store.deploy("d2", "app", 2);  // 1 is kept
  store.keep = 2;
  const auto added = store.add(kAlice, "app", 8);
  REQUIRE(added.has_value());
  CHECK(std::set<std::string>(added->dropped.begin(), added->dropped.end()) ==
        std::set<std::string>{kAlice + "/v3.tar.gz", kAlice + "/v4.tar.gz"});
  CHECK(store.all() == "7 6 5 2 1 ");
  CHECK(store.all(kBob) == "1 ");
  CHECK(store.latest() == 7);
  CHECK(store.number("SELECT count(*) FROM manifests") == 6);
  store.deploy("d3", "app", 7);  // 2 is kept
  CHECK(store.add(kAlice, "app", 9)->dropped.size() == 2);
  CHECK(store.all() == "8 7 6 2 ");
  CHECK(store.add(kAlice, "app", 9)->dropped.empty());  // the same bytes
}

TEST_CASE("the release that is added always stays") {
  DeployedStore store;
  store.keep = 0;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  CHECK(store.add(kAlice, "app", 2)->dropped == std::vector<std::string>{kAlice + "/v1.tar.gz"});
  CHECK(store.all() == "2 ");
}

TEST_CASE("a file that cannot be placed drops nothing and is not on record") {
  DeployedStore store;
  store.keep = 1;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  const auto refused = store.add(store.release(kAlice, "app", 2), [](const Release&) -> Result<void> {
    return Fail({Code::insufficient_storage, "full", {}, {}});
  });
  REQUIRE_FALSE(refused.has_value());
  CHECK(store.all() == "1 ");
  CHECK(store.latest() == 1);
  CHECK(store.audit() == "release.add app 1\n");
}

TEST_CASE("a deployment whose release is gone is not begun; one that is begun keeps it") {
  DeployedStore store;
  const auto first = store.add(kAlice, "app", 1);
  REQUIRE(first.has_value());
  Deployment row = store.deployment("d1", "app", 1);
  row.release_id = first->release.id;
  REQUIRE(store.remove(kAlice, 1).has_value());
  const auto refused = store.begin(row);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::release_not_found);
  CHECK(store.number("SELECT count(*) FROM deployments") == 0);
  const auto second = store.add(kAlice, "app", 1);
  row.version = 2;
  row.release_id = second->release.id;
  CHECK(store.begin(row).has_value());
  CHECK(store.remove(kAlice, 2).error().code == Code::conflict);
}

TEST_CASE("the paths of all releases are told") {
  DeployedStore store;
  CHECK(store.releases().paths()->empty());
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  REQUIRE(store.add(kBob, "app", 2).has_value());
  const auto paths = store.releases().paths().value();
  CHECK(std::set<std::string>(paths.begin(), paths.end()) ==
        std::set<std::string>{kAlice + "/v1.tar.gz", kBob + "/v1.tar.gz"});
}

TEST_CASE("work between additions runs on the writer's thread, after what was queued") {
  DeployedStore store;
  SqliteReleases releases(store.database());
  Several<Result<AddOutcome>> adding(store.loop());
  std::string order;  // of the writer's thread alone
  adding.start(releases.add(store.request(store.release(kAlice, "app", 1), [&order](const Release&) -> Result<void> {
    order += "add ";
    return {};
  })));
  store.loop().spawn(releases.between([&order] { order += "between "; }), [](std::exception_ptr) { FAIL("threw"); });
  CHECK(adding.finish().front().has_value());
  CHECK(order == "add between ");
}
