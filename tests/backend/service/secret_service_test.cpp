#include "backend/service/secret_service.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/backend/service/audit.h"
#include "tests/backend/service/store.h"

namespace leger {
namespace {

using test::at_socket;
using test::run;
using test::TemporaryFolder;

// Secrets over a real database, ten versions kept.
class Fixture {
 public:
  Fixture() : store(folder_.path()) {
    auto opened = store.open_vault();
    REQUIRE(opened);
    vault_ = std::move(*opened);
    service = std::make_unique<SecretService>(*store.secret_rows, *vault_, audit.log, 10,
                                              [this](std::uint64_t count) { seals = count; });
  }

  Result<PutOutcome> set(const std::string& name, const std::string& value,
                         std::optional<std::uint64_t> if_version = {}) {
    return run(store.loop, service->set(at_socket(store.user), name, Secret(value), if_version));
  }
  Result<std::string> get(const std::string& name, std::optional<std::uint64_t> version = {}) {
    const auto found = read(store.user, name, version);
    if (!found) return Fail(found.error());
    return std::string(found->value.reveal());
  }
  Result<SecretValue> read(const std::string& user, const std::string& name,
                           std::optional<std::uint64_t> version = {}) {
    return run(store.loop, service->read(at_socket(user), name, version));
  }
  Result<std::string> remove(const std::string& user, const std::string& name) {
    return run(store.loop, service->remove(at_socket(user), name));
  }

 private:
  TemporaryFolder folder_;

 public:
  test::Store store;
  test::Audit audit{store.loop, *store.database};
  std::uint64_t seals = 0;

 private:
  std::unique_ptr<Vault> vault_;

 public:
  std::unique_ptr<SecretService> service;
};

}  // namespace

TEST_CASE("Names are taken and refused as the contract has them, by every operation") {
  Fixture fixture;
  const std::string longest(64, 'a');
  for (const std::string& name :
       {std::string("a"), std::string("_"), std::string("0"), std::string("Az0_.:-"), longest}) {
    CAPTURE(name);
    CHECK(fixture.set(name, "v"));
    CHECK(fixture.get(name) == "v");
    CHECK(fixture.remove(fixture.store.user, name));
  }
  for (const std::string& name :
       {std::string(), longest + "a", std::string("list"), std::string("set"), std::string("get"), std::string("sync"),
        std::string(".a"), std::string("-a"), std::string(":a"), std::string("a/b"), std::string("a b"),
        std::string("a\n"), std::string("a\0b", 3), std::string("\xc3\xa4"), std::string("../x")}) {
    CAPTURE(name);
    const auto put = fixture.set(name, "v");
    const auto got = fixture.get(name);
    const auto removed = fixture.remove(fixture.store.user, name);
    REQUIRE_FALSE(put);
    REQUIRE_FALSE(got);
    REQUIRE_FALSE(removed);
    CHECK(put.error().code == Code::invalid_secret_name);
    CHECK(got.error().code == Code::invalid_secret_name);
    CHECK(removed.error().code == Code::invalid_secret_name);
  }
  CHECK(fixture.service->count(fixture.store.user) == 0U);
}

TEST_CASE("Values from 1 to 511 999 bytes are kept, empty and larger ones are refused") {
  Fixture fixture;
  for (const std::size_t size : {std::size_t{1}, std::size_t{511'999}}) {
    const std::string value(size, 'x');
    REQUIRE(fixture.set("sized", value));
    CHECK((fixture.get("sized") == value));
  }
  const auto large = fixture.set("sized", std::string(512'000, 'x'));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Code::secret_value_too_large);
  CHECK(large.error().message.contains("511999"));
  const auto empty = fixture.set("sized", "");
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == Code::invalid_request);
  CHECK(fixture.read(fixture.store.user, "sized")->info.version == 2);
}

TEST_CASE("Bytes of any kind are kept as they are") {
  Fixture fixture;
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  for (const std::string& value :
       {every, std::string("\0", 1), std::string("line\r\n"), std::string("\xff\xfe"), every + every}) {
    REQUIRE(fixture.set("bytes", value));
    CHECK((fixture.get("bytes") == value));
  }
}

TEST_CASE("Versions count up, older ones can be read until ten newer ones are there") {
  Fixture fixture;
  for (int version = 1; version <= 12; ++version) {
    const auto put = fixture.set("token", "value " + std::to_string(version));
    REQUIRE(put);
    CHECK(put->info.version == static_cast<std::uint64_t>(version));
    CHECK(put->created == (version == 1));
    fixture.store.clock.advance(1000);
  }
  CHECK(fixture.get("token") == "value 12");
  CHECK(fixture.get("token", 3) == "value 3");
  const auto dropped = fixture.get("token", 2);
  REQUIRE_FALSE(dropped);
  CHECK(dropped.error().code == Code::secret_not_found);
  const auto listed = fixture.service->list(fixture.store.user, {}, 10);
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().version == 12);
  CHECK(listed->front().created_at < listed->front().updated_at);
}

TEST_CASE("if_version sets only where the secret is at that version, and says where it is") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "1", 0));
  const auto exists = fixture.set("token", "2", 0);
  REQUIRE_FALSE(exists);
  CHECK(exists.error().code == Code::conflict);
  CHECK(exists.error().details == R"({"version":1})");
  CHECK(fixture.set("token", "2", 1));
  CHECK_FALSE(fixture.set("token", "3", 1));
  CHECK_FALSE(fixture.set("other", "1", 1));
  CHECK(fixture.get("token") == "2");
}

TEST_CASE("A removed secret is gone, and its numbers do not come again") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "old"));
  const auto removed = fixture.remove(fixture.store.user, "token");
  REQUIRE(removed);
  CHECK(*removed == rfc3339(fixture.store.clock.wall_seconds()));
  CHECK_FALSE(fixture.get("token"));
  CHECK_FALSE(fixture.get("token", 1));
  const auto again = fixture.remove(fixture.store.user, "token");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Code::secret_not_found);
  const auto put = fixture.set("token", "new");
  REQUIRE(put);
  CHECK(put->created);
  CHECK(put->info.version == 2);
  CHECK_FALSE(fixture.get("token", 1));
}

TEST_CASE("Another account's secret is answered exactly as one that is not there") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "value"));
  const auto foreign = fixture.read("bob", "token");
  const auto absent = fixture.read("bob", "never");
  REQUIRE_FALSE(foreign);
  REQUIRE_FALSE(absent);
  CHECK(foreign.error().code == absent.error().code);
  CHECK(foreign.error().message == absent.error().message);
  CHECK(foreign.error().action == absent.error().action);
  CHECK(foreign.error().details == absent.error().details);
  const auto remove_foreign = fixture.remove("bob", "token");
  const auto remove_absent = fixture.remove("bob", "never");
  REQUIRE_FALSE(remove_foreign);
  REQUIRE_FALSE(remove_absent);
  CHECK(remove_foreign.error().message == remove_absent.error().message);
  CHECK(fixture.service->list("bob", {}, 10)->empty());
  CHECK(fixture.get("token") == "value");
  // Each has one of the same name.
  REQUIRE(run(fixture.store.loop, fixture.service->set(at_socket("bob"), "token", Secret("bob's"), {})));
  CHECK(fixture.get("token") == "value");
}

TEST_CASE("Lists go on after a name, and count is of the account") {
  Fixture fixture;
  for (const char* name : {"c", "a", "b"}) REQUIRE(fixture.set(name, "v"));
  const auto first = fixture.service->list(fixture.store.user, {}, 2);
  REQUIRE(first);
  REQUIRE(first->size() == 2);
  CHECK(first->at(1).name == "b");
  const auto rest = fixture.service->list(fixture.store.user, "b", 2);
  REQUIRE(rest);
  REQUIRE(rest->size() == 1);
  CHECK(rest->front().name == "c");
  CHECK(fixture.service->count(fixture.store.user) == 3U);
}

TEST_CASE("A version is brought back as a new one, and only one that is kept") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "first"));
  fixture.store.clock.advance(1000);
  REQUIRE(fixture.set("token", "second"));
  const auto back = run(fixture.store.loop, fixture.service->roll_back(at_socket(fixture.store.user), "token", 1));
  REQUIRE(back);
  CHECK(back->info.version == 3);
  CHECK_FALSE(back->created);
  CHECK(fixture.get("token") == "first");
  const auto versions = fixture.service->versions(fixture.store.user, "token");
  REQUIRE(versions);
  REQUIRE(versions->size() == 3);
  CHECK(versions->front().version == 3);
  CHECK(versions->front().is_current);
  CHECK_FALSE(versions->at(1).is_current);
  CHECK(versions->at(2).created_at < versions->at(1).created_at);
  for (const std::uint64_t version : {std::uint64_t{4}, std::uint64_t{INT64_MAX}}) {
    const auto absent =
        run(fixture.store.loop, fixture.service->roll_back(at_socket(fixture.store.user), "token", version));
    REQUIRE_FALSE(absent);
    CHECK(absent.error().code == Code::secret_not_found);
  }
  CHECK_FALSE(run(fixture.store.loop, fixture.service->roll_back(at_socket("bob"), "token", 1)));
  CHECK_FALSE(fixture.service->versions("bob", "token"));
  CHECK(fixture.get("token") == "first");
}

TEST_CASE("Every access is on record with who, from where, what, which version and what came of it") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "hidden value"));
  REQUIRE(fixture.get("token"));
  CHECK_FALSE(fixture.read("bob", "token"));
  CHECK_FALSE(fixture.set("token", "x", 7));
  REQUIRE(run(fixture.store.loop, fixture.service->roll_back(at_socket(fixture.store.user), "token", 1)));
  REQUIRE(fixture.remove(fixture.store.user, "token"));
  CHECK_FALSE(fixture.remove(fixture.store.user, "token"));
  CHECK_FALSE(fixture.get("a/b"));  // no name at all: nothing to be on record
  std::string text;
  for (const AuditEntry& entry : fixture.audit.entries()) {
    const AuditRecord& record = entry.record;
    CHECK(record.source == "socket");
    CHECK(record.request_id == "request-1");
    CHECK(record.object == "token");
    CHECK(record.time == rfc3339(fixture.store.clock.wall_seconds()));
    text = record.action + " v" + std::to_string(record.version.value_or(0)) + " " + record.outcome +
           (record.actor == "bob" ? " bob\n" : "\n") + text;
  }
  CHECK(text ==
        "secret.set v1 ok\n"
        "secret.read v1 ok\n"
        "secret.read v0 secret_not_found bob\n"
        "secret.set v0 conflict\n"
        "secret.rollback v2 ok\n"
        "secret.delete v0 ok\n"
        "secret.delete v0 secret_not_found\n");
  const auto verdict = run(fixture.store.loop, fixture.audit.log.verify());
  REQUIRE(verdict);
  CHECK(verdict->entries == 7);
  CHECK_FALSE(verdict->first_bad);
}

TEST_CASE("Without a record no value leaves, and a look that gives none away needs no record") {
  Fixture fixture;
  REQUIRE(fixture.set("token", "value"));
  fixture.store.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END");
  // Until the journal cannot be brought into the chain it is on record there.
  CHECK(fixture.get("token") == "value");
  CHECK_FALSE(run(fixture.store.loop, fixture.audit.log.flush()));
  const auto refused = fixture.read(fixture.store.user, "token");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unavailable);
  CHECK(fixture.audit.log.is_failing());
  CHECK_FALSE(fixture.set("token", "other"));
  CHECK(fixture.service->check(fixture.store.user, "token"));
  fixture.store.execute("DROP TRIGGER broken");
  CHECK(fixture.get("token") == "value");
  CHECK_FALSE(fixture.audit.log.is_failing());
}

TEST_CASE("After each write it is told how often the key has sealed") {
  Fixture fixture;
  for (std::uint64_t written = 1; written <= 3; ++written) {
    REQUIRE(fixture.set("token", "value"));
    CHECK(fixture.seals == written);
  }
}

}  // namespace leger
