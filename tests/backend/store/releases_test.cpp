#include "backend/store/releases.h"

#include <atomic>
#include <set>

#include "tests/backend/store/release_store.h"

using namespace leger;
using namespace leger::test;

TEST_CASE("a release comes back whole, by number and as the latest") {
  ReleaseStore store;
  const auto added = store.add(kAlice, "app", 1);
  REQUIRE(added.has_value());
  CHECK(added->created);
  for (const Release& got :
       {added->release, store.releases().get(kAlice, 1).value(), store.releases().latest(kAlice, "").value(),
        store.releases().latest(kAlice, "app").value()}) {
    CHECK(got.id == "release-1");
    CHECK(got.user_uuid == kAlice);
    CHECK(got.version == 1);
    CHECK(got.deployment_name == "app");
    CHECK(got.r2_path == kAlice + "/v1.tar.gz");
    CHECK(got.bundle_size_bytes == 15'360);
    CHECK(got.sha256 == std::string(63, '0') + "1");
    CHECK(got.created_at == kNow);
    CHECK(got.files == std::vector<std::string>{"app.container", "conf/app.conf"});
    CHECK(got.services == std::vector<std::string>{"app"});
    CHECK(got.secrets_required.empty());
  }
}

TEST_CASE("releases are numbered per user, over all names") {
  ReleaseStore store;
  CHECK(store.add(kAlice, "app", 1)->release.version == 1);
  CHECK(store.add(kAlice, "web", 2)->release.version == 2);
  CHECK(store.add(kBob, "app", 3)->release.version == 1);
  CHECK(store.add(kAlice, "app", 4)->release.version == 3);
  CHECK(store.releases().latest(kAlice, "web")->version == 2);
  CHECK(store.releases().latest(kAlice, "")->version == 3);
}

TEST_CASE("the bytes of the newest release of the name make no new one and place no file") {
  ReleaseStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  int placed = 0;
  const auto place = [&placed](const Release&) -> Result<void> {
    ++placed;
    return {};
  };
  const auto again = store.add(store.release(kAlice, "app", 1), place);
  REQUIRE(again.has_value());
  CHECK_FALSE(again->created);
  CHECK(again->release.version == 1);
  CHECK(again->release.id == "release-1");
  CHECK(placed == 0);
  // Of another name, of another user, or no longer the newest: another release.
  CHECK(store.add(store.release(kAlice, "web", 1), place)->created);
  CHECK(store.add(store.release(kBob, "app", 1), place)->created);
  CHECK(store.add(store.release(kAlice, "app", 2), place)->created);
  CHECK(store.add(store.release(kAlice, "app", 1), place)->release.version == 4);
  CHECK(placed == 4);
}

TEST_CASE("the file is placed on the writer's thread for the number and path that the release gets") {
  ReleaseStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  Release seen;
  const auto added = store.add(store.release(kAlice, "app", 2), [&seen](const Release& release) -> Result<void> {
    seen = release;
    return {};
  });
  REQUIRE(added.has_value());
  CHECK(seen.version == 2);
  CHECK(seen.r2_path == kAlice + "/v2.tar.gz");
  CHECK(seen.r2_path == added->release.r2_path);
}

TEST_CASE("a file that cannot be placed leaves no release and no gap") {
  ReleaseStore store;
  const auto refused = store.add(store.release(kAlice, "app", 1), [](const Release&) -> Result<void> {
    return Fail({Code::insufficient_storage, "full", {}, {}});
  });
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::insufficient_storage);
  CHECK(store.releases().count(kAlice, "").value() == 0);
  CHECK(store.releases().latest(kAlice, "").error().code == Code::release_not_found);
  CHECK(store.add(kAlice, "app", 1)->release.version == 1);
}

TEST_CASE("rows that cannot be written place no file") {
  ReleaseStore store;
  bool placed = false;
  Release release = store.release(kAlice, "app", 1);
  release.sha256 = "short";
  CHECK_FALSE(store
                  .add(release,
                       [&placed](const Release&) -> Result<void> {
                         placed = true;
                         return {};
                       })
                  .has_value());
  CHECK_FALSE(placed);
  CHECK_FALSE(store.add(store.release("no such user", "app", 1)).has_value());
}

TEST_CASE("a number never comes again, not even that of the newest release after it was deleted") {
  ReleaseStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  REQUIRE(store.add(kAlice, "app", 2).has_value());
  REQUIRE(store.execute("DELETE FROM releases WHERE version = 2").has_value());
  CHECK(store.releases().get(kAlice, 2).error().code == Code::release_not_found);
  store.close();
  store.open();
  CHECK(store.add(kAlice, "app", 3)->release.version == 3);
}

TEST_CASE("200 uploads at once get 200 numbers without a gap, and each its own file") {
  ReleaseStore store;
  SqliteReleases releases(store.database());
  Several<Result<AddOutcome>> tasks(store.loop());
  std::set<std::string> paths;  // of the writer's thread alone
  for (int i = 0; i < 200; ++i) {
    tasks.start(releases.add(store.request(store.release(kAlice, "app" + std::to_string(i % 7), i),
                                           [&paths](const Release& release) -> Result<void> {
                                             paths.insert(release.r2_path);
                                             return {};
                                           })));
  }
  std::set<std::uint64_t> numbers;
  for (const auto& outcome : tasks.finish()) numbers.insert(outcome.value().release.version);
  CHECK(numbers.size() == 200);
  CHECK(*numbers.begin() == 1);
  CHECK(*numbers.rbegin() == 200);
  CHECK(paths.size() == 200);
}

TEST_CASE("the same bytes uploaded 50 times at once are one release") {
  ReleaseStore store;
  SqliteReleases releases(store.database());
  Several<Result<AddOutcome>> tasks(store.loop());
  for (int i = 0; i < 50; ++i) tasks.start(releases.add(store.request(store.release(kAlice, "app", 1))));
  int created = 0;
  for (const auto& outcome : tasks.finish()) {
    CHECK(outcome.value().release.version == 1);
    created += outcome->created ? 1 : 0;
  }
  CHECK(created == 1);
  CHECK(store.releases().count(kAlice, "").value() == 1);
}

TEST_CASE("the list is newest first, by name where asked, in pages") {
  ReleaseStore store;
  for (int i = 1; i <= 6; ++i) REQUIRE(store.add(kAlice, i % 2 == 0 ? "even" : "odd", i).has_value());
  REQUIRE(store.add(kBob, "odd", 9).has_value());
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = ""}) == "6 5 4 3 2 1 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "odd"}) == "5 3 1 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "", .limit = 2}) == "6 5 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "", .before = 5, .limit = 2}) == "4 3 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "even", .before = 6}) == "4 2 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "", .before = 1}).empty());
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "", .before = UINT64_MAX, .limit = 1}) == "6 ");
  CHECK(store.versions({.user_uuid = kAlice, .deployment_name = "none"}).empty());
  CHECK(store.releases().count(kAlice, "").value() == 6);
  CHECK(store.releases().count(kAlice, "odd").value() == 3);
  CHECK(store.releases().count(kBob, "").value() == 1);
}

TEST_CASE("a foreign release answers exactly as an absent one") {
  ReleaseStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  const auto foreign = store.releases().get(kBob, 1);
  const auto absent = store.releases().get(kBob, 99);
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == Code::release_not_found);
  CHECK(foreign.error().message == absent.error().message);
  CHECK(foreign.error().action == absent.error().action);
  CHECK(store.releases().latest(kBob, "").error().code == Code::release_not_found);
  CHECK(store.releases().latest(kBob, "app").error().code == Code::release_not_found);
  for (const std::uint64_t version : {std::uint64_t{0}, UINT64_MAX}) {
    CHECK(store.releases().get(kAlice, version).error().code == Code::release_not_found);
  }
}

TEST_CASE("a manifest that was damaged in the store is an error and not a crash") {
  ReleaseStore store;
  REQUIRE(store.add(kAlice, "app", 1).has_value());
  for (const char* damage :
       {"UPDATE manifests SET services = '[1]'", "UPDATE manifests SET services = 'not json'",
        "UPDATE manifests SET services = ''", "UPDATE manifests SET services = '\"text\"'",
        "UPDATE manifests SET services = '{\"a\":\"b\"}'", "UPDATE manifests SET files = '[\"a\"'"}) {
    INFO(damage);
    REQUIRE(store.execute(damage).has_value());
    CHECK(store.releases().get(kAlice, 1).error().code == Code::internal_error);
    CHECK(store.releases().latest(kAlice, "").error().code == Code::internal_error);
    CHECK(store.releases().list({.user_uuid = kAlice, .deployment_name = ""}).error().code == Code::internal_error);
    REQUIRE(store.execute("UPDATE manifests SET services = '[]', files = '[]'").has_value());
    CHECK(store.releases().get(kAlice, 1).has_value());
  }
}

TEST_CASE("hostile texts in a release are kept as they are") {
  ReleaseStore store;
  int bytes = 0;
  for (const std::string& text : hostile_strings()) {
    Release release = store.release(kAlice, text, ++bytes);
    release.id = text;
    release.created_at = text;
    const auto added = store.add(release);
    REQUIRE(added.has_value());
    const auto got = store.releases().latest(kAlice, text);
    REQUIRE(got.has_value());
    CHECK(got->id == text);
    CHECK(got->deployment_name == text);
    CHECK(store.releases().count(kAlice, text).value() == 1);
    CHECK(store.releases().count(text, text).value() == 0);
    CHECK(store.releases().get(text, 1).error().code == Code::release_not_found);
    CHECK(store.versions({.user_uuid = text, .deployment_name = text}).empty());
  }
}

TEST_CASE("names of a manifest keep their characters through the store") {
  ReleaseStore store;
  Release release = store.release(kAlice, "app", 1);
  release.files = {"a\"b\\c", "☃", "", "line\nbreak", std::string("nul\0", 4)};
  REQUIRE(store.add(release).has_value());
  CHECK(store.releases().get(kAlice, 1)->files == release.files);
}
