#include "backend/store/keys.h"

#include <stdexcept>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

// A store with keys 1 and 2 of secrets, key 3 of tokens, and one secret for each value that is put.
struct KeyedStore : Store {
  KeyedStore() {
    add_user(kAlice);
    for (const std::uint32_t id : {1U, 2U}) REQUIRE(run(keys().add(wrapped_key(id), std::nullopt)));
    WrappedKey tokens = wrapped_key(3);
    tokens.purpose = "tokens";
    REQUIRE(run(keys().add(tokens, std::nullopt)));
  }
  KeyStore keys() { return KeyStore(database()); }

  // A secret named after its number, sealed with `key_id`.
  void put(std::uint64_t number, std::uint32_t key_id, std::size_t bytes = 20) {
    SealedValue value = sealed_value(number);
    value.key_id = key_id;
    value.ciphertext.resize(bytes, 'x');
    PutSecret put{.user_uuid = kAlice,
                  .name = "s" + std::to_string(number),
                  .now = kNow,
                  .if_version = {},
                  .audit = audit_record("secret.set", "s"),
                  .seal = [value](std::uint64_t) -> Result<SealedValue> { return value; }};
    REQUIRE(run(SqliteSecrets(database()).put(put)));
  }
  Result<Resealed> reseal(std::uint32_t newest, std::uint32_t most, ResealPosition from = {}) {
    return run(keys().reseal(newest, std::move(from), most, sealing_with(newest)));
  }
  // Seals anew by a mark before the ciphertext; refuses the secret named by `refused`.
  Reseal sealing_with(std::uint32_t newest, std::string refused = {}) {
    return [=, this](const std::string& user, const StoredSecret& stored) -> Result<SealedValue> {
      if (user != kAlice) throw std::runtime_error("another account");
      if (stored.info.name == refused) return Fail({Code::internal_error, refused + " does not open", {}, {}});
      SealedValue value = sealed_value(10'000 + ++resealed_);
      value.key_id = newest;
      value.ciphertext = "anew " + stored.value.ciphertext;
      return value;
    };
  }
  std::int64_t rows(std::uint32_t key_id) {
    Statement statement = database().reader().prepare("SELECT count(*) FROM secret_versions WHERE key_id = ?1");
    REQUIRE(statement.bind(1, key_id).step());
    return statement.integer(0);
  }

 private:
  std::uint64_t resealed_ = 0;
};

AuditRecord passed() { return audit_record("key.rotate_kek", "/new.kek"); }

}  // namespace

TEST_CASE("wrapped keys are kept by number and none is overwritten") {
  KeyedStore store;
  WrappedKey last = wrapped_key(UINT32_MAX);
  last.purpose = "tokens";
  last.ciphertext = std::string(31, '\0') + "z";
  REQUIRE(store.run(store.keys().add(last, std::nullopt)));
  const auto taken = store.run(store.keys().add(wrapped_key(UINT32_MAX), audit_record("key.rotate_data", "x")));
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == Code::conflict);
  CHECK(store.audit().empty());  // what was not done is not on record
  const auto keys = store.keys().wrapped_keys().value();
  REQUIRE(keys.size() == 4);
  CHECK(keys[0].key_id == 1);
  CHECK(keys[0].purpose == "secrets");
  CHECK(keys[0].nonce == std::string(12, 'n'));
  CHECK(keys[0].tag == std::string(16, 't'));
  CHECK(keys[0].created_at == kNow);
  CHECK(keys[3].key_id == UINT32_MAX);
  CHECK(keys[3].purpose == "tokens");
  CHECK(keys[3].ciphertext == last.ciphertext);
  WrappedKey broken = wrapped_key(7);
  broken.nonce.pop_back();
  CHECK(store.run(store.keys().add(broken, std::nullopt)).error().code == Code::internal_error);
  WrappedKey odd = wrapped_key(8);
  odd.purpose = "";
  CHECK(store.run(store.keys().add(odd, std::nullopt)).error().code == Code::internal_error);
}

TEST_CASE("a key that is added later is on record in its own transaction") {
  KeyedStore store;
  REQUIRE(store.run(store.keys().add(wrapped_key(4), audit_record("key.rotate_data", "4"))));
  CHECK(store.audit() == "key.rotate_data 4 \n");
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("what older keys sealed is sealed anew in parts, which go on where the one before ended") {
  KeyedStore store;
  for (std::uint64_t number = 1; number <= 5; ++number) store.put(number, 1);
  store.put(6, 2);
  REQUIRE(store.run(store.keys().add(wrapped_key(4), std::nullopt)));
  store.put(7, 4);
  const auto first = store.reseal(4, 4);
  REQUIRE(first);
  CHECK(first->sealed == 4);
  CHECK(first->refused.empty());
  REQUIRE(first->next);
  CHECK(store.rows(4) == 5);
  const auto second = store.reseal(4, 4, *first->next);
  REQUIRE(second);
  CHECK(second->sealed == 2);
  CHECK(second->next == std::nullopt);
  CHECK(store.rows(4) == 7);
  CHECK(store.number("SELECT seals FROM data_keys WHERE key_id = 4") == 7);
  const auto row = SqliteSecrets(store.database()).get(kAlice, "s6", std::nullopt);
  REQUIRE(row);
  CHECK(row->value.ciphertext.starts_with("anew ciphertext 6"));
  CHECK(row->info.updated_at == kNow);
  CHECK(SqliteSecrets(store.database()).get(kAlice, "s7", 1)->value.ciphertext.starts_with("ciphertext 7"));
  CHECK(store.reseal(4, 4)->sealed == 0);
}

TEST_CASE("exactly as many rows as a part takes are followed by an empty part") {
  KeyedStore store;
  for (std::uint64_t number = 1; number <= 3; ++number) store.put(number, 1);
  const auto part = store.reseal(2, 3);
  REQUIRE(part);
  CHECK(part->sealed == 3);
  REQUIRE(part->next);
  const auto last = store.reseal(2, 3, *part->next);
  CHECK(last->sealed == 0);
  CHECK(last->next == std::nullopt);
}

TEST_CASE("a part takes fewer rows where they are large, and at least one") {
  KeyedStore store;
  for (std::uint64_t number = 1; number <= 20; ++number) store.put(number, 1, 500'000);
  ResealPosition from;
  std::vector<std::uint32_t> parts;
  for (bool ended = false; !ended;) {
    auto part = store.run(store.keys().reseal(2, from, 100, [](const auto&, const StoredSecret& row) {
      SealedValue value = row.value;
      value.key_id = 2;
      return Result<SealedValue>(value);
    }));
    REQUIRE(part);
    parts.push_back(part->sealed);
    ended = !part->next;
    if (part->next) from = *part->next;
  }
  CHECK(parts == std::vector<std::uint32_t>{9, 9, 2});
  CHECK(store.rows(2) == 20);
}

TEST_CASE("a row that cannot be sealed anew is passed by and stays as it was") {
  KeyedStore store;
  for (std::uint64_t number = 1; number <= 5; ++number) store.put(number, 1);
  const auto part = store.run(store.keys().reseal(2, {}, 100, store.sealing_with(2, "s3")));
  REQUIRE(part);
  CHECK(part->sealed == 4);
  REQUIRE(part->refused.size() == 1);
  CHECK(part->refused[0].message == "s3 does not open");
  CHECK(store.rows(1) == 1);
  CHECK(SqliteSecrets(store.database()).get(kAlice, "s3", std::nullopt)->value.nonce == sealed_value(3).nonce);
  CHECK(store.number("SELECT seals FROM data_keys WHERE key_id = 2") == 4);
}

TEST_CASE("a part that fails changes none of its rows") {
  KeyedStore store;
  for (std::uint64_t number = 1; number <= 5; ++number) store.put(number, 1);
  const auto part = store.run(store.keys().reseal(2, {}, 100, [](const auto&, const StoredSecret& row) {
    SealedValue value = row.value;
    value.key_id = row.info.name == "s4" ? 99 : 2;  // there is no such key
    return Result<SealedValue>(value);
  }));
  CHECK_FALSE(part);
  CHECK(store.rows(1) == 5);
  CHECK(store.number("SELECT seals FROM data_keys WHERE key_id = 2") == 0);
}

TEST_CASE("keys that no version needs are dropped, but the newest and those of tokens") {
  KeyedStore store;
  REQUIRE(store.run(store.keys().add(wrapped_key(4), std::nullopt)));
  store.put(1, 1);
  const auto drop = [&] { return store.run(store.keys().drop_unused(4, audit_record("key.drop_older", "4"))); };
  CHECK(drop() == 1);
  CHECK(store.audit() == "secret.set s 1\nkey.drop_older 4 \n");
  REQUIRE(store.reseal(4, 100));
  CHECK(drop() == 1);
  CHECK(drop() == 0);
  CHECK(store.audit() == "secret.set s 1\nkey.drop_older 4 \nkey.drop_older 4 \n");
  const auto keys = store.keys().wrapped_keys().value();
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].key_id == 3);
  CHECK(keys[1].key_id == 4);
}

TEST_CASE("a passage to another key-encryption key replaces all wrapped keys, or none") {
  KeyedStore store;
  store.put(1, 1);
  auto keys = store.keys().wrapped_keys().value();
  for (WrappedKey& key : keys) key.ciphertext = std::string(32, static_cast<char>('0' + key.key_id));
  SUBCASE("all") {
    REQUIRE(store.run(store.keys().rewrap(keys, "/new.kek", passed())));
    const auto now = store.keys().wrapped_keys().value();
    for (std::size_t i = 0; i < now.size(); ++i) CHECK(now[i].ciphertext == keys[i].ciphertext);
    CHECK(store.number("SELECT seals FROM data_keys WHERE key_id = 1") == 1);
    CHECK(store.keys().new_key_file().value() == "/new.kek");
    CHECK(store.audit().ends_with("key.rotate_kek /new.kek \n"));
    REQUIRE(store.run(store.keys().rewrap(keys, "/newer.kek", passed())));
    CHECK(store.keys().new_key_file().value() == "/newer.kek");
    REQUIRE(store.run(store.keys().forget_new_key_file()));
    CHECK(store.keys().new_key_file().value() == std::nullopt);
    REQUIRE(store.run(store.keys().forget_new_key_file()));
    return;
  }
  SUBCASE("not where one was added meanwhile") { REQUIRE(store.run(store.keys().add(wrapped_key(9), std::nullopt))); }
  SUBCASE("not where one was dropped meanwhile") { REQUIRE(store.execute("DELETE FROM data_keys WHERE key_id = 2")); }
  SUBCASE("not where one is of another number") { keys[1].key_id = 8; }
  SUBCASE("not where one is for something else") { keys[2].purpose = "secrets"; }
  const auto refused = store.run(store.keys().rewrap(keys, "/new.kek", passed()));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  const auto now = store.keys().wrapped_keys().value();
  for (const WrappedKey& key : now) CHECK(key.ciphertext == std::string(32, 'c'));
  CHECK(store.keys().new_key_file().value() == std::nullopt);
  CHECK_FALSE(store.audit().contains("key."));
}

TEST_CASE("the note of a new key file survives a restart, whatever its name") {
  KeyedStore store;
  const auto keys = store.keys().wrapped_keys().value();
  for (const std::string& name : hostile_strings()) {
    REQUIRE(store.run(store.keys().rewrap(keys, name, passed())));
    store.close();
    store.open();
    CHECK(store.keys().new_key_file().value() == name);
  }
}
