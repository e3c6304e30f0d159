#include "backend/store/secrets.h"

#include <set>
#include <thread>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

// A store with two accounts and a data key; every value sealed in it differs.
struct SecretStore : Store {
  SecretStore() {
    add_user(kAlice);
    add_user(kBob);
    add_key(1);
  }
  SqliteSecrets secrets() { return SqliteSecrets(database()); }

  PutSecret request(const std::string& user, const std::string& name, const std::string& now = kNow) {
    PutSecret put{.user_uuid = user,
                  .name = name,
                  .now = now,
                  .if_version = {},
                  .audit = audit_record("secret.set", name),
                  .seal = {}};
    put.seal = [number = ++sealed_](std::uint64_t) -> Result<SealedValue> { return sealed_value(number); };
    return put;
  }
  Result<PutOutcome> put(PutSecret request) {
    SqliteSecrets secrets(database());
    return run(secrets.put(std::move(request)));
  }
  Result<PutOutcome> put(const std::string& user, const std::string& name, const std::string& now = kNow) {
    return put(request(user, name, now));
  }
  Result<PutOutcome> put_if(std::uint64_t version, const std::string& name) {
    PutSecret put_request = request(kAlice, name);
    put_request.if_version = version;
    return put(std::move(put_request));
  }
  Result<void> remove(const std::string& user, const std::string& name, const std::string& now = kLater) {
    SqliteSecrets secrets(database());
    return run(secrets.remove(user, name, now, audit_record("secret.delete", name)));
  }
  std::optional<Code> get_error(const std::string& user, const std::string& name,
                                std::optional<std::uint64_t> version = {}) {
    const auto got = secrets().get(user, name, version);
    if (got) return std::nullopt;
    return got.error().code;
  }

 private:
  std::uint64_t sealed_ = 0;
};

const std::string kMuchLater = "2026-12-01T00:00:00Z";

}  // namespace

TEST_CASE("a secret that was put comes back with its ciphertext, number and times") {
  SecretStore store;
  const auto put = store.put(kAlice, "test_key");
  REQUIRE(put.has_value());
  CHECK(put->created);
  CHECK(put->info.name == "test_key");
  CHECK(put->info.version == 1);
  CHECK(put->info.created_at == kNow);
  CHECK(put->info.updated_at == kNow);
  const auto got = store.secrets().get(kAlice, "test_key", std::nullopt);
  REQUIRE(got.has_value());
  const SealedValue expected = sealed_value(1);
  CHECK(got->info.name == "test_key");
  CHECK(got->info.version == 1);
  CHECK(got->info.created_at == kNow);
  CHECK(got->info.updated_at == kNow);
  CHECK(got->value.key_id == 1);
  CHECK(got->value.encryption_version == 2);
  CHECK(got->value.nonce == expected.nonce);
  CHECK(got->value.ciphertext == expected.ciphertext);
  CHECK(got->value.tag == expected.tag);
}

TEST_CASE("an update is the next version, keeps created_at, and leaves the old version to be read") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  const auto put = store.put(kAlice, "a", kLater);
  REQUIRE(put.has_value());
  CHECK_FALSE(put->created);
  CHECK(put->info.version == 2);
  CHECK(put->info.created_at == kNow);
  CHECK(put->info.updated_at == kLater);
  const auto current = store.secrets().get(kAlice, "a", std::nullopt).value();
  CHECK(current.info.version == 2);
  CHECK(current.value.ciphertext == "ciphertext 2");
  const auto old = store.secrets().get(kAlice, "a", 1).value();
  CHECK(old.info.version == 1);
  CHECK(old.info.created_at == kNow);
  CHECK(old.info.updated_at == kNow);
  CHECK(old.value.ciphertext == "ciphertext 1");
  CHECK(store.secrets().get(kAlice, "a", 2).value().value.ciphertext == "ciphertext 2");
  for (const std::uint64_t absent : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{INT64_MAX}, UINT64_MAX}) {
    CHECK(store.get_error(kAlice, "a", absent) == Code::secret_not_found);
  }
}

TEST_CASE("the value is sealed on the writer's thread for the number that it gets") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  std::uint64_t number = 0;
  std::thread::id thread;
  PutSecret put = store.request(kAlice, "a");
  put.seal = [&](std::uint64_t version) -> Result<SealedValue> {
    number = version;
    thread = std::this_thread::get_id();
    return sealed_value(1000);
  };
  REQUIRE(store.put(put).has_value());
  CHECK(number == 2);
  CHECK(thread != std::this_thread::get_id());
}

TEST_CASE("a value that cannot be sealed changes nothing and takes no number") {
  SecretStore store;
  PutSecret put = store.request(kAlice, "a");
  put.seal = [](std::uint64_t) -> Result<SealedValue> { return Fail({Code::unavailable, "no key", {}, {}}); };
  const auto refused = store.put(put);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message == "no key");
  CHECK(store.get_error(kAlice, "a") == Code::secret_not_found);
  put.seal = [](std::uint64_t) -> Result<SealedValue> { throw std::runtime_error("bug"); };
  CHECK(store.put(put).error().code == Code::internal_error);
  CHECK(store.put(kAlice, "a")->info.version == 1);
}

TEST_CASE("a nonce that was used under the key is refused with all that came with it") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  PutSecret put = store.request(kBob, "b");
  put.seal = [](std::uint64_t) -> Result<SealedValue> { return sealed_value(1); };
  CHECK(store.put(put).error().code == Code::internal_error);
  CHECK(store.get_error(kBob, "b") == Code::secret_not_found);
}

TEST_CASE("a deleted secret is absent in every way, and its ciphertext is in no file") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  REQUIRE(store.put(kAlice, "a").has_value());
  REQUIRE(store.put(kAlice, "b").has_value());
  REQUIRE(store.remove(kAlice, "a").has_value());
  CHECK(store.get_error(kAlice, "a") == Code::secret_not_found);
  CHECK(store.get_error(kAlice, "a", 1) == Code::secret_not_found);
  CHECK(store.secrets().list(kAlice, "", 10)->size() == 1);
  CHECK(store.secrets().count(kAlice).value() == 1);
  CHECK(store.remove(kAlice, "a").error().code == Code::secret_not_found);
  CHECK(store.number("SELECT count(*) FROM secret_versions") == 1);
  bool other_found = false;
  for (const char* name : {"leger.db", "leger.db-wal"}) {
    const std::string bytes = content_of(store.file(name));
    CHECK(bytes.find("ciphertext 1") == std::string::npos);
    CHECK(bytes.find("ciphertext 2") == std::string::npos);
    other_found = other_found || bytes.find("ciphertext 3") != std::string::npos;
  }
  CHECK(other_found);
}

TEST_CASE("a number never comes again: after a delete the secret is created with the next one") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  REQUIRE(store.put(kAlice, "a").has_value());
  REQUIRE(store.remove(kAlice, "a").has_value());
  store.close();
  store.open();
  const auto again = store.put(kAlice, "a", kMuchLater);
  REQUIRE(again.has_value());
  CHECK(again->created);
  CHECK(again->info.version == 3);
  CHECK(again->info.created_at == kMuchLater);
  CHECK(store.get_error(kAlice, "a", 1) == Code::secret_not_found);
  const auto got = store.secrets().get(kAlice, "a", std::nullopt).value();
  CHECK(got.info.version == 3);
  CHECK(got.info.created_at == kMuchLater);
  CHECK(store.put(kAlice, "a", kMuchLater)->info.created_at == kMuchLater);
}

TEST_CASE("if_version lets a change through for the version it was meant for only") {
  SecretStore store;
  const auto check_conflict = [&](std::uint64_t wanted, const char* details) {
    const auto refused = store.put_if(wanted, "a");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::conflict);
    CHECK(refused.error().details == details);
  };
  check_conflict(1, R"({"version":0})");
  CHECK(store.put_if(0, "a").value().info.version == 1);
  check_conflict(0, R"({"version":1})");
  check_conflict(2, R"({"version":1})");
  CHECK(store.put_if(1, "a").value().info.version == 2);
  check_conflict(1, R"({"version":2})");
  check_conflict(UINT64_MAX, R"({"version":2})");
  REQUIRE(store.remove(kAlice, "a").has_value());
  check_conflict(2, R"({"version":0})");
  CHECK(store.put_if(0, "a").value().info.version == 3);
}

TEST_CASE("the newest versions are kept, as many as were asked for, and the current one always") {
  SecretStore store;
  for (int i = 0; i < 12; ++i) REQUIRE(store.put(kAlice, "a").has_value());
  CHECK(store.get_error(kAlice, "a", 2) == Code::secret_not_found);
  CHECK(store.get_error(kAlice, "a", 3) == std::nullopt);
  PutSecret put = store.request(kAlice, "a");
  put.keep_versions = 2;
  REQUIRE(store.put(put).has_value());
  CHECK(store.get_error(kAlice, "a", 11) == Code::secret_not_found);
  CHECK(store.get_error(kAlice, "a", 12) == std::nullopt);
  put = store.request(kAlice, "a");
  put.keep_versions = 0;
  REQUIRE(store.put(put).has_value());
  CHECK(store.get_error(kAlice, "a", 13) == Code::secret_not_found);
  CHECK(store.get_error(kAlice, "a") == std::nullopt);
  CHECK(store.number("SELECT count(*) FROM secret_versions") == 1);
}

TEST_CASE("the versions of other secrets are not counted among those to keep") {
  SecretStore store;
  for (int i = 0; i < 3; ++i) REQUIRE(store.put(kAlice, "b").has_value());
  PutSecret put = store.request(kAlice, "a");
  put.keep_versions = 1;
  REQUIRE(store.put(put).has_value());
  CHECK(store.number("SELECT count(*) FROM secret_versions") == 4);
}

TEST_CASE("a foreign secret answers exactly as an absent one") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  const auto foreign = store.secrets().get(kBob, "a", std::nullopt);
  const auto absent = store.secrets().get(kBob, "none", std::nullopt);
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().code == Code::secret_not_found);
  CHECK(foreign.error().message == absent.error().message);
  CHECK(foreign.error().action == absent.error().action);
  CHECK(store.remove(kBob, "a").error().message == store.remove(kBob, "none").error().message);
  CHECK(store.secrets().list(kBob, "", 10)->empty());
  CHECK(store.secrets().count(kBob).value() == 0);
  CHECK(store.put(kBob, "a")->info.version == 1);
  CHECK(store.secrets().get(kAlice, "a", std::nullopt)->value.ciphertext == "ciphertext 1");
}

TEST_CASE("the list is by name, in pages") {
  SecretStore store;
  for (const char* name : {"b", "a", "C", "d", "a1"}) REQUIRE(store.put(kAlice, name).has_value());
  const auto names = [&](const std::string& after, std::uint32_t limit) {
    std::string joined;
    const auto page = store.secrets().list(kAlice, after, limit).value();
    for (const SecretInfo& info : page) joined += info.name + " ";
    return joined;
  };
  CHECK(names("", 100) == "C a a1 b d ");
  CHECK(names("", 2) == "C a ");
  CHECK(names("a", 2) == "a1 b ");
  CHECK(names("d", 2).empty());
  CHECK(names("", 0).empty());
  CHECK(store.secrets().count(kAlice).value() == 5);
  REQUIRE(store.put(kAlice, "a", kLater).has_value());
  const SecretInfo info = store.secrets().list(kAlice, "C", 1)->front();
  CHECK(info.version == 2);
  CHECK(info.created_at == kNow);
  CHECK(info.updated_at == kLater);
}

TEST_CASE("200 puts of one name at once get 200 numbers without a gap") {
  SecretStore store;
  SqliteSecrets secrets(store.database());
  Several<Result<PutOutcome>> tasks(store.loop());
  for (int i = 0; i < 200; ++i) tasks.start(secrets.put(store.request(kAlice, "a")));
  std::set<std::uint64_t> numbers;
  for (const auto& outcome : tasks.finish()) numbers.insert(outcome.value().info.version);
  CHECK(numbers.size() == 200);
  CHECK(*numbers.rbegin() == 200);
}

TEST_CASE("the largest value the contract allows fits, one byte more does not") {
  SecretStore store;
  for (const std::size_t size : {std::size_t{511'999}, std::size_t{512'000}}) {
    PutSecret put = store.request(kAlice, "big");
    put.seal = [size](std::uint64_t) -> Result<SealedValue> {
      SealedValue value = sealed_value(size);
      value.ciphertext.assign(size, '\xff');
      return value;
    };
    CHECK(store.put(put).has_value() == (size == 511'999));
  }
  CHECK(store.secrets().get(kAlice, "big", std::nullopt)->value.ciphertext == std::string(511'999, '\xff'));
}

TEST_CASE("hostile texts are names like others, or absent") {
  SecretStore store;
  for (const std::string& text : hostile_strings()) {
    const auto put = store.put(kAlice, text, text);
    REQUIRE(put.has_value());
    const auto got = store.secrets().get(kAlice, text, std::nullopt);
    REQUIRE(got.has_value());
    CHECK(got->info.name == text);
    CHECK(got->info.updated_at == text);
    CHECK(store.get_error(text, "a") == Code::secret_not_found);
    CHECK(store.secrets().list(text, text, 10)->empty());
    CHECK(store.secrets().count(text).value() == 0);
    REQUIRE(store.secrets().list(kAlice, text, 10).has_value());
  }
  CHECK(store.secrets().count(kAlice).value() == hostile_strings().size());
  for (const std::string& text : hostile_strings()) REQUIRE(store.remove(kAlice, text, text).has_value());
  CHECK(store.secrets().count(kAlice).value() == 0);
  CHECK(store.number("SELECT count(*) FROM users") == 2);
}

TEST_CASE("each secret has an id that is a random UUID and stays") {
  SecretStore store;
  for (int i = 0; i < 50; ++i) REQUIRE(store.put(kAlice, "s" + std::to_string(i)).has_value());
  CHECK(store.number("SELECT count(DISTINCT secret_id) FROM secrets") == 50);
  CHECK(store.number("SELECT count(*) FROM secrets WHERE secret_id GLOB '[0-9a-f]*-[0-9a-f]*-4[0-9a-f][0-9a-f][0-9a-f]-"
                     "[89ab][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f]*' AND length(secret_id) = 36") == 50);
  Statement before = store.database().reader().prepare("SELECT secret_id FROM secrets WHERE name = 's1'");
  REQUIRE(before.step().value());
  const std::string id = before.text(0);
  ignore(before.step());
  REQUIRE(store.put(kAlice, "s1").has_value());
  Statement after = store.database().reader().prepare("SELECT count(*) FROM secrets WHERE secret_id = ?1");
  REQUIRE(after.bind(1, id).step().value());
  CHECK(after.integer(0) == 1);
}

TEST_CASE("every change of a secret has its record, with the number it made, and what was refused has none") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  REQUIRE(store.put(kAlice, "a").has_value());
  CHECK_FALSE(store.put_if(7, "a").has_value());
  CHECK_FALSE(store.remove(kBob, "a").has_value());
  REQUIRE(store.put(kBob, "b").has_value());
  REQUIRE(store.remove(kAlice, "a").has_value());
  CHECK(store.audit() == "secret.set a 1\nsecret.set a 2\nsecret.set b 1\nsecret.delete a \n");
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("a change whose record cannot be written does not happen") {
  SecretStore store;
  REQUIRE(store.put(kAlice, "a").has_value());
  PutSecret put = store.request(kAlice, "a");
  put.audit.count = 0;
  CHECK_FALSE(store.put(put).has_value());
  CHECK(store.secrets().get(kAlice, "a", std::nullopt)->info.version == 1);
  SqliteSecrets secrets = store.secrets();
  CHECK_FALSE(store.run(secrets.remove(kAlice, "a", kLater, put.audit)).has_value());
  CHECK(store.get_error(kAlice, "a") == std::nullopt);
}

TEST_CASE("an answer tells how often its key has sealed, deleted values and dropped versions too") {
  SecretStore store;
  store.add_key(2);
  CHECK(store.put(kAlice, "a")->seals.stored == 1);
  PutSecret put = store.request(kAlice, "a");
  put.keep_versions = 1;
  CHECK(store.put(put)->seals.stored == 2);
  REQUIRE(store.remove(kAlice, "a").has_value());
  put = store.request(kBob, "b");
  put.seal = [](std::uint64_t) -> Result<SealedValue> {
    SealedValue value = sealed_value(77);
    value.key_id = 2;
    return value;
  };
  CHECK(store.put(put)->seals.stored == 1);
  CHECK_FALSE(store.put_if(9, "b").has_value());
  CHECK(store.put(kBob, "b")->seals.stored == 3);
  put.seal = [](std::uint64_t) -> Result<SealedValue> {
    SealedValue value = sealed_value(78);
    value.key_id = 3;
    return value;
  };
  CHECK(store.put(put).error().code == Code::internal_error);
}

TEST_CASE("an unknown account has no secrets to put") {
  SecretStore store;
  CHECK_FALSE(store.put("nobody", "a").has_value());
  CHECK(store.put(kAlice, "a").has_value());
  CHECK(store.number("SELECT count(*) FROM secrets") == 1);
}

TEST_CASE("what a list tells of a secret stands before its value, which SQLite would read on its way") {
  SecretStore store;
  CHECK(store.number("SELECT (SELECT cid FROM pragma_table_info('secret_versions') WHERE name = 'ciphertext')"
                     " - (SELECT max(cid) FROM pragma_table_info('secret_versions') WHERE name != 'ciphertext')") == 1);
}
