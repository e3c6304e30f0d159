// Which versions of a secret there are, and those that deployments hold on to.

#include "backend/base/json.h"
#include "backend/store/deployments.h"
#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

struct PinnedStore : Store {
  PinnedStore() {
    add_user(kAlice);
    add_user(kBob);
    add_key(1);
  }
  // Puts `count` values of a secret, of which the newest two are kept.
  void put(const std::string& user, const std::string& name, int count, const std::string& now = kNow) {
    for (int i = 0; i < count; ++i) {
      PutSecret put{.user_uuid = user,
                    .name = name,
                    .now = now,
                    .if_version = {},
                    .keep_versions = 2,
                    .audit = audit_record("secret.set", name),
                    .seal = {}};
      put.seal = [number = ++sealed_](std::uint64_t) -> Result<SealedValue> { return sealed_value(number); };
      SqliteSecrets secrets(database());
      REQUIRE(run(secrets.put(put)).has_value());
    }
  }
  std::string versions(const std::string& user, const std::string& name) {
    std::string numbers;
    const auto kept = SqliteSecrets(database()).versions(user, name).value();
    for (const SecretVersion& version : kept) numbers += std::to_string(version.version) + " ";
    return numbers;
  }
  Result<void> remove(const std::string& user, const std::string& name) {
    SqliteSecrets secrets(database());
    return run(secrets.remove(user, name, kLater, audit_record("secret.delete", name)));
  }

  using Made = std::map<std::string, std::uint64_t>;
  void begin(const std::string& id, const std::string& user, const std::string& app, const Made& secrets) {
    Deployments deployments(database());
    Deployment added{.id = id, .user_uuid = user, .name = app, .version = 1, .kind = "install", .state = "staging"};
    added.created_at = kNow;
    added.secrets = secrets;
    REQUIRE(run(deployments.add(added, audit_record("deployment.install", app))).has_value());
  }
  void end(const std::string& id, const std::string& state) {
    Deployments deployments(database());
    Deployment ended = deployments.get(id).value();
    ended.state = state;
    ended.finished_at = kLater;
    ended.live = state == "deployed";
    REQUIRE(run(deployments.update(ended)).has_value());
  }
  void deploy(const std::string& id, const std::string& user, const std::string& app, const Made& secrets) {
    begin(id, user, app, secrets);
    end(id, "deployed");
  }

 private:
  std::uint64_t sealed_ = 0;
};

}  // namespace

TEST_CASE("the versions of a secret are those that are kept, newest first") {
  PinnedStore store;
  store.put(kAlice, "a", 3);
  store.put(kAlice, "a", 1, kLater);
  store.put(kAlice, "b", 1);
  SqliteSecrets secrets(store.database());
  const auto versions = secrets.versions(kAlice, "a").value();
  REQUIRE(versions.size() == 2);
  CHECK(versions[0].version == 4);
  CHECK(versions[0].created_at == kLater);
  CHECK(versions[0].is_current);
  CHECK(versions[1].version == 3);
  CHECK(versions[1].created_at == kNow);
  CHECK_FALSE(versions[1].is_current);
  CHECK(secrets.versions(kBob, "a").error().code == Code::secret_not_found);
  CHECK(secrets.versions(kAlice, "none").error().code == Code::secret_not_found);
  REQUIRE(store.remove(kAlice, "a").has_value());
  CHECK(secrets.versions(kAlice, "a").error().code == Code::secret_not_found);
  store.put(kAlice, "a", 1);
  CHECK(store.versions(kAlice, "a") == "5 ");
}

TEST_CASE("a version that a deployment was made with is kept while it runs, is live or can be rolled back to") {
  PinnedStore store;
  store.put(kAlice, "a", 2);
  store.begin("d1", kAlice, "app", {{"a", 1}});
  store.put(kAlice, "a", 4);
  CHECK(store.versions(kAlice, "a") == "6 5 1 ");
  store.end("d1", "deployed");
  store.put(kAlice, "a", 1);
  CHECK(store.versions(kAlice, "a") == "7 6 1 ");
  store.deploy("d2", kAlice, "app", {{"a", 6}});
  store.put(kAlice, "a", 3);
  CHECK(store.versions(kAlice, "a") == "10 9 6 1 ");
  store.deploy("d3", kAlice, "app", {{"a", 10}});
  store.put(kAlice, "a", 1);
  CHECK(store.versions(kAlice, "a") == "11 10 6 ");
  store.begin("d4", kAlice, "app", {{"a", 11}});
  store.end("d4", "failed");
  store.put(kAlice, "a", 4);
  CHECK(store.versions(kAlice, "a") == "15 14 10 6 ");
  store.begin("d5", kAlice, "app", {});
  store.end("d5", "removed");
  store.put(kAlice, "a", 1);
  CHECK(store.versions(kAlice, "a") == "16 15 ");
}

TEST_CASE("a deployment keeps no version of another account's secret, nor of another name") {
  PinnedStore store;
  store.deploy("d1", kAlice, "app", {{"a", 1}});
  store.put(kBob, "a", 3);
  store.put(kAlice, "b", 3);
  CHECK(store.versions(kBob, "a") == "3 2 ");
  CHECK(store.versions(kAlice, "b") == "3 2 ");
}

TEST_CASE("a secret that deployments need is not deleted, and the error names their apps") {
  PinnedStore store;
  store.put(kAlice, "a", 3);
  store.put(kBob, "a", 1);
  store.deploy("d1", kAlice, "web", {{"a", 2}});
  store.deploy("d2", kAlice, "web", {{"a", 3}});
  store.begin("d3", kAlice, "app", {{"a", 3}, {"b", 1}});
  const auto refused = store.remove(kAlice, "a");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().details == R"({"apps":["app","web"]})");
  CHECK(refused.error().message.contains("app, web"));
  CHECK_FALSE(refused.error().action.empty());
  CHECK(store.versions(kAlice, "a") == "3 2 ");
  CHECK_FALSE(store.audit().contains("secret.delete"));
  CHECK(store.remove(kBob, "a").has_value());
  CHECK(store.remove(kAlice, "none").error().code == Code::secret_not_found);
  // Named by a deployment, but not there.
  CHECK(store.remove(kAlice, "b").error().code == Code::secret_not_found);

  store.end("d3", "failed");
  CHECK(store.remove(kAlice, "a").error().details == R"({"apps":["web"]})");
  store.deploy("d4", kAlice, "web", {});
  CHECK(store.remove(kAlice, "a").error().details == R"({"apps":["web"]})");  // kept for a rollback
  store.deploy("d5", kAlice, "web", {});
  CHECK(store.remove(kAlice, "a").has_value());
  CHECK(store.audit().ends_with("secret.delete a \n"));
}

TEST_CASE("hostile names of secrets and apps are kept as they are") {
  PinnedStore store;
  int number = 0;
  for (const std::string& text : hostile_strings()) {
    store.put(kAlice, text, 3);
    store.deploy("d" + std::to_string(++number), kAlice, text, {{text, 2}});
    store.put(kAlice, text, 2);
    CHECK(store.versions(kAlice, text) == "5 4 2 ");
    const auto refused = store.remove(kAlice, text);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::conflict);
    CHECK_FALSE(Json::parse(refused.error().details, nullptr, false).is_discarded());
  }
}

TEST_CASE("an account that goes takes what its deployments were made with along") {
  PinnedStore store;
  store.deploy("d1", kAlice, "app", {{"a", 1}});
  store.deploy("d2", kBob, "web", {{"a", 1}});
  REQUIRE(store.execute("DELETE FROM users WHERE user_uuid = '550e8400-e29b-41d4-a716-446655440000'").has_value());
  CHECK(store.number("SELECT count(*) FROM deployment_secrets") == 1);
}
