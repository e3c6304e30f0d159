#include "backend/store/deployments.h"

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

struct DeploymentStore : Store {
  DeploymentStore() { add_user(kAlice); }
  Deployments deployments() { return Deployments(database()); }

  Deployment deployment(const std::string& id, const std::string& name = "app") {
    return {.id = id,
            .user_uuid = kAlice,
            .name = name,
            .version = 3,
            .kind = "install",
            .state = "staging",
            .created_at = kNow,
            .finished_at = {},
            .plan = {},
            .error = {},
            .journal = {}};
  }
  Result<void> add(Deployment added) {
    Deployments deployments(database());
    AuditRecord audit = audit_record("deployment." + added.kind, added.name);
    return run(deployments.add(std::move(added), std::move(audit)));
  }
  Result<void> update(Deployment updated, std::optional<AuditRecord> audit = std::nullopt) {
    Deployments deployments(database());
    return run(deployments.update(std::move(updated), std::move(audit)));
  }
  // Adds one and ends it in `state`.
  void ended(const std::string& id, const std::string& name, const std::string& state, bool live) {
    Deployment one = deployment(id, name);
    REQUIRE(add(one).has_value());
    one.state = state;
    one.finished_at = kLater;
    one.live = live;
    REQUIRE(update(one).has_value());
  }
  std::string ids(const DeploymentQuery& query) { return joined(deployments().list(query).value()); }
  std::string live_ids() { return joined(deployments().live().value()); }
  std::string kept_ids() {
    Statement statement = database().reader().prepare("SELECT id FROM deployments WHERE kept = 1 ORDER BY sequence");
    std::string ids;
    while (statement.step().value()) ids += statement.text(0) + " ";
    return ids;
  }

 private:
  static std::string joined(const std::vector<Deployment>& list) {
    std::string ids;
    for (const Deployment& one : list) ids += one.id + " ";
    return ids;
  }
};

}  // namespace

TEST_CASE("a deployment is written with each step and comes back whole") {
  DeploymentStore store;
  Deployment one = store.deployment("d1");
  REQUIRE(store.add(one).has_value());
  const Deployment first = store.deployments().get("d1").value();
  CHECK(first.user_uuid == kAlice);
  CHECK(first.name == "app");
  CHECK(first.version == 3);
  CHECK(first.kind == "install");
  CHECK(first.state == "staging");
  CHECK(first.created_at == kNow);
  CHECK(first.finished_at == std::nullopt);
  CHECK(first.plan.empty());
  CHECK_FALSE(first.live);
  one.state = "deployed";
  one.plan = R"({"units":[]})";
  one.error = R"({"unit":"a"})";
  one.journal = R"({"step":6})";
  one.finished_at = kLater;
  one.live = true;
  REQUIRE(store.update(one).has_value());
  store.close();
  store.open();
  const Deployment last = store.deployments().get("d1").value();
  CHECK(last.state == "deployed");
  CHECK(last.plan == one.plan);
  CHECK(last.error == one.error);
  CHECK(last.journal == one.journal);
  CHECK(last.finished_at == std::optional<std::string>(kLater));
  CHECK(last.live);
}

TEST_CASE("one deployment runs at a time; the second learns the id of the first") {
  DeploymentStore store;
  REQUIRE(store.add(store.deployment("d\"1")).has_value());
  const auto second = store.add(store.deployment("d2", "other"));
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::conflict);
  CHECK(second.error().details == R"({"id":"d\"1"})");
  CHECK(store.deployments().unfinished()->size() == 1);
  Deployment first = store.deployment("d\"1");
  first.state = "failed";
  first.finished_at = kLater;
  REQUIRE(store.update(first).has_value());
  CHECK(store.deployments().unfinished()->empty());
  CHECK(store.add(store.deployment("d2", "other")).has_value());
}

TEST_CASE("of many deployments that start at once one does") {
  DeploymentStore store;
  Deployments deployments(store.database());
  Several<Result<void>> tasks(store.loop());
  for (int i = 0; i < 30; ++i)
    tasks.start(deployments.add(store.deployment("d" + std::to_string(i)), audit_record("a", "b")));
  int started = 0;
  for (const auto& result : tasks.finish()) started += result.has_value() ? 1 : 0;
  CHECK(started == 1);
  CHECK(store.deployments().count("").value() == 1);
}

TEST_CASE("what is live is one an app, and the newer one takes it over") {
  DeploymentStore store;
  store.ended("d1", "app", "deployed", true);
  store.ended("d2", "web", "deployed", true);
  CHECK(store.live_ids() == "d1 d2 ");
  store.ended("d3", "app", "deployed", true);
  CHECK(store.live_ids() == "d3 d2 ");
  CHECK(store.deployments().live("app").value()->id == "d3");
  store.ended("d4", "app", "failed", false);
  CHECK(store.deployments().live("app").value()->id == "d3");
  CHECK_FALSE(store.deployments().live("none").value().has_value());
}

TEST_CASE("a removed app has nothing live, whatever the row itself says") {
  DeploymentStore store;
  store.ended("d1", "app", "deployed", true);
  store.ended("d2", "web", "deployed", true);
  store.ended("d3", "app", "removed", true);
  CHECK(store.live_ids() == "d2 ");
  CHECK_FALSE(store.deployments().get("d3")->live);
}

TEST_CASE("the list is newest first, by name where asked, in pages") {
  DeploymentStore store;
  // Ids that do not sort as they were made.
  for (const char* id : {"m", "a", "z", "b"}) store.ended(id, std::string(id) == "z" ? "web" : "app", "failed", false);
  CHECK(store.ids({.name = "", .before = ""}) == "b z a m ");
  CHECK(store.ids({.name = "app", .before = ""}) == "b a m ");
  CHECK(store.ids({.name = "", .before = "", .limit = 2}) == "b z ");
  CHECK(store.ids({.name = "", .before = "z", .limit = 1}) == "a ");
  CHECK(store.ids({.name = "", .before = "m"}).empty());
  CHECK(store.ids({.name = "", .before = "unknown"}).empty());
  CHECK(store.deployments().count("").value() == 4);
  CHECK(store.deployments().count("app").value() == 3);
  CHECK(store.deployments().count("none").value() == 0);
}

TEST_CASE("an absent deployment is deployment_not_found for reading and for writing, and takes nothing from others") {
  DeploymentStore store;
  store.ended("d1", "app", "deployed", true);
  CHECK(store.deployments().get("none").error().code == Code::deployment_not_found);
  Deployment none = store.deployment("none");
  none.live = true;
  CHECK(store.update(none).error().code == Code::deployment_not_found);
  none.state = "removed";
  CHECK(store.update(none).error().code == Code::deployment_not_found);
  CHECK(store.live_ids() == "d1 ");
}

TEST_CASE("an id is used once") {
  DeploymentStore store;
  store.ended("d1", "app", "failed", false);
  CHECK_FALSE(store.add(store.deployment("d1")).has_value());
}

TEST_CASE("hostile texts in a deployment are kept as they are") {
  DeploymentStore store;
  for (const std::string& text : hostile_strings()) {
    Deployment one = store.deployment(text, text);
    one.kind = one.state = one.created_at = one.plan = one.error = one.journal = text;
    one.finished_at = text;
    REQUIRE(store.add(one).has_value());
    REQUIRE(store.update(one).has_value());
    const auto got = store.deployments().get(text);
    REQUIRE(got.has_value());
    CHECK(got->name == text);
    CHECK(got->state == text);
    CHECK(got->journal == text);
    CHECK(got->finished_at == std::optional<std::string>(text));
    CHECK(store.deployments().count(text).value() == 1);
    CHECK(store.ids({.name = text, .before = text}).empty());
  }
  CHECK(store.deployments().count("").value() == hostile_strings().size());
}

TEST_CASE("what was live before the live one is kept, one an app, until the app is removed") {
  DeploymentStore store;
  store.ended("d1", "app", "deployed", true);
  store.ended("w1", "web", "deployed", true);
  CHECK(store.kept_ids().empty());
  store.ended("d2", "app", "deployed", true);
  CHECK(store.kept_ids() == "d1 ");
  store.ended("d3", "app", "failed", false);
  CHECK(store.kept_ids() == "d1 ");
  store.ended("d4", "app", "deployed", true);
  CHECK(store.kept_ids() == "d2 ");
  store.ended("w2", "web", "deployed", true);
  CHECK(store.kept_ids() == "w1 d2 ");
  // The live one, written once more, is not what was live before itself.
  Deployment again = store.deployments().get("d4").value();
  again.error = "{}";
  REQUIRE(store.update(again).has_value());
  CHECK(store.live_ids() == "d4 w2 ");
  CHECK(store.kept_ids() == "w1 d2 ");
  // The kept one comes back to life.
  Deployment kept = store.deployments().get("d2").value();
  kept.live = true;
  REQUIRE(store.update(kept).has_value());
  CHECK(store.live_ids() == "d2 w2 ");
  CHECK(store.kept_ids() == "w1 d4 ");
  store.ended("d5", "app", "removed", false);
  CHECK(store.live_ids() == "w2 ");
  CHECK(store.kept_ids() == "w1 ");
  store.ended("d6", "app", "deployed", true);
  CHECK(store.kept_ids() == "w1 ");
}

TEST_CASE("a deployment has its records: when it begins, and when it ends as its caller wants") {
  DeploymentStore store;
  Deployment one = store.deployment("d1");
  REQUIRE(store.add(one).has_value());
  CHECK_FALSE(store.add(store.deployment("d2")).has_value());
  one.state = "switching";
  REQUIRE(store.update(one).has_value());
  one.state = "deployed";
  one.finished_at = kLater;
  REQUIRE(store.update(one, audit_record("deployment.end", "app")).has_value());
  CHECK_FALSE(store.update(store.deployment("none"), audit_record("deployment.end", "none")).has_value());
  CHECK(store.audit() == "deployment.install app \ndeployment.end app \n");
  CHECK(store.verify().first_bad == std::nullopt);
  AuditRecord odd = audit_record("a", "b");
  odd.count = 0;
  one.state = "failed";
  CHECK_FALSE(store.update(one, odd).has_value());
  CHECK(store.deployments().get("d1")->state == "deployed");
}

TEST_CASE("secrets of live deployments are moved with the end of another one, or not at all") {
  DeploymentStore store;
  Deployment app = store.deployment("d1");
  app.secrets = {{"token", 1}, {"other", 4}};
  REQUIRE(store.add(app).has_value());
  Deployments deployments = store.deployments();
  CHECK(deployments.runs_with(kAlice, "token", 1).value());  // it is under way
  CHECK_FALSE(deployments.runs_with(kAlice, "token", 2).value());
  CHECK_FALSE(deployments.runs_with("somebody", "token", 1).value());
  app.state = "deployed";
  app.finished_at = kLater;
  app.live = true;
  REQUIRE(store.update(app).has_value());
  Deployment sync = store.deployment("d2", "");
  REQUIRE(store.add(sync).has_value());
  sync.state = "deployed";
  sync.finished_at = kLater;
  const SecretMove move{.deployment_id = "d1", .journal = "new", .secrets = {{"token", 2}}};
  SecretMove impossible = move;
  impossible.deployment_id = "d2";  // it is not live
  CHECK_FALSE(store.run(deployments.update(sync, std::nullopt, {move, impossible})).has_value());
  CHECK(deployments.runs_with(kAlice, "token", 1).value());
  CHECK(deployments.get("d2")->state == "staging");
  REQUIRE(store.run(deployments.update(sync, std::nullopt, {move})).has_value());
  CHECK_FALSE(deployments.runs_with(kAlice, "token", 1).value());
  CHECK(deployments.runs_with(kAlice, "token", 2).value());
  CHECK(deployments.runs_with(kAlice, "other", 4).value());
  CHECK(deployments.get("d1")->journal == "new");
}
