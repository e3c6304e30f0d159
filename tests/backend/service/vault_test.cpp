#include "backend/service/vault.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "backend/service/secret_service.h"
#include "tests/backend/service/store.h"
#include "tests/quadlets/archives.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::run;
using test::Store;
using test::TemporaryFolder;
using test::write_file;

void put(Store& store, const Vault& vault, const std::string& name, const std::string& value) {
  SecretService service(*store.secret_rows, vault, store.clock, 10);
  REQUIRE(run(store.loop, service.set(store.user, name, Secret(value), std::nullopt)));
}

StoredSecret stored(Store& store, const std::string& name) {
  auto row = store.secret_rows->get(store.user, name, std::nullopt);
  REQUIRE(row);
  return *row;
}

void replace_key_file(const std::string& path, const std::string& bytes) {
  fs::remove(path);
  write_file(path, bytes);
  REQUIRE(chmod(path.c_str(), 0400) == 0);
}

// The first start in a folder: makes the key, and one secret.
void first_start(const std::string& folder) {
  Store store(folder);
  const auto vault = store.open_vault();
  REQUIRE(vault);
  put(store, **vault, "token", "the value");
}

}  // namespace

TEST_CASE("The first start makes the key file and one wrapped key of each purpose, the second one opens them") {
  const TemporaryFolder folder;
  first_start(folder.path());
  struct stat status{};
  REQUIRE(stat((folder / "leger.kek").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0400);
  CHECK(status.st_size == 32);
  const std::string key = read_file(folder / "leger.kek");
  Store store(folder.path());
  REQUIRE(store.secret_rows->wrapped_keys());
  CHECK(store.secret_rows->wrapped_keys()->size() == 2);
  const auto vault = store.open_vault();
  REQUIRE(vault);
  const auto value = (*vault)->open(store.user, stored(store, "token"));
  REQUIRE(value);
  CHECK(value->reveal() == "the value");
  CHECK(read_file(folder / "leger.kek") == key);
  CHECK(store.secret_rows->wrapped_keys()->size() == 2);
}

TEST_CASE("The key of tokens is another than that of secrets, and the same after a restart") {
  const TemporaryFolder folder;
  std::string key;
  {
    Store store(folder.path());
    const auto vault = store.open_vault();
    REQUIRE(vault);
    CHECK((*vault)->token_key_id() == 2);
    REQUIRE((*vault)->token_key(2) != nullptr);
    key = (*vault)->token_key(2)->reveal();
    for (const std::uint32_t id : {0U, 1U, 3U, UINT32_MAX}) CHECK((*vault)->token_key(id) == nullptr);
    put(store, **vault, "token", "value");
    CHECK(stored(store, "token").value.key_id == 1);
    StoredSecret other = stored(store, "token");
    other.value.key_id = 2;
    CHECK_FALSE((*vault)->open(store.user, other));
    const auto rows = store.secret_rows->wrapped_keys().value();
    CHECK(rows[0].purpose == "secrets");
    CHECK(rows[1].purpose == "tokens");
  }
  Store store(folder.path());
  const auto vault = store.open_vault();
  REQUIRE(vault);
  CHECK((*vault)->token_key_id() == 2);
  CHECK((*vault)->token_key(2)->reveal() == key);
}

TEST_CASE("A state folder from before there were tokens gets a token key, and its secrets open") {
  const TemporaryFolder folder;
  first_start(folder.path());
  Store store(folder.path());
  store.execute("DELETE FROM data_keys WHERE purpose = 'tokens'");
  SUBCASE("with one key of secrets") {
    const auto vault = store.open_vault();
    REQUIRE(vault);
    CHECK((*vault)->token_key_id() == 2);
    CHECK((*vault)->open(store.user, stored(store, "token"))->reveal() == "the value");
  }
  SUBCASE("with a second one, that secrets are sealed with and whose number is not the token key's") {
    const Key kek = Key::from_bytes(read_file(folder / "leger.kek")).value();
    const auto sealed = seal(kek, std::string(32, 's'), data_key_associated_data(9));
    REQUIRE(sealed);
    REQUIRE(run(store.loop, store.secret_rows->add_wrapped_key({.key_id = 9,
                                                                .purpose = "secrets",
                                                                .nonce = sealed->nonce,
                                                                .ciphertext = sealed->ciphertext,
                                                                .tag = sealed->tag,
                                                                .created_at = "t"})));
    const auto vault = store.open_vault();
    REQUIRE(vault);
    CHECK((*vault)->token_key_id() == 10);
    CHECK((*vault)->token_key(9) == nullptr);
    put(store, **vault, "newer", "x");
    CHECK(stored(store, "newer").value.key_id == 9);
    CHECK((*vault)->open(store.user, stored(store, "token"))->reveal() == "the value");
  }
  SUBCASE("not by a wrong key") {
    replace_key_file(folder / "leger.kek", std::string(32, 'k'));
    CHECK_FALSE(store.open_vault());
    CHECK(store.secret_rows->wrapped_keys()->size() == 1);
  }
}

TEST_CASE("A newer token key signs, and the older one is still known") {
  const TemporaryFolder folder;
  first_start(folder.path());
  Store store(folder.path());
  const Key kek = Key::from_bytes(read_file(folder / "leger.kek")).value();
  const auto sealed = seal(kek, std::string(32, 't'), token_key_associated_data(3));
  REQUIRE(sealed);
  REQUIRE(run(store.loop, store.secret_rows->add_wrapped_key({.key_id = 3,
                                                              .purpose = "tokens",
                                                              .nonce = sealed->nonce,
                                                              .ciphertext = sealed->ciphertext,
                                                              .tag = sealed->tag,
                                                              .created_at = "t"})));
  const auto vault = store.open_vault();
  REQUIRE(vault);
  CHECK((*vault)->token_key_id() == 3);
  CHECK((*vault)->token_key(3)->reveal() == std::string(32, 't'));
  REQUIRE((*vault)->token_key(2) != nullptr);
  CHECK((*vault)->token_key(2)->reveal() != std::string(32, 't'));
  put(store, **vault, "another", "x");
  CHECK(stored(store, "another").value.key_id == 1);
}

TEST_CASE("A key whose purpose or number was changed in the database does not open") {
  const TemporaryFolder folder;
  first_start(folder.path());
  Store store(folder.path());
  SUBCASE("the tokens' for secrets") { store.execute("UPDATE data_keys SET purpose = 'secrets' WHERE key_id = 2"); }
  SUBCASE("both the other way round") {
    store.execute("UPDATE data_keys SET purpose = iif(purpose = 'secrets', 'tokens', 'secrets')");
  }
  SUBCASE("the secrets' for tokens") { store.execute("UPDATE data_keys SET purpose = 'tokens'"); }
  SUBCASE("another number") { store.execute("UPDATE data_keys SET key_id = 3 WHERE key_id = 2"); }
  SUBCASE("the bytes of one in the other") {
    store.execute(
        "UPDATE data_keys SET (nonce, ciphertext, tag) = (SELECT nonce, ciphertext, tag FROM data_keys WHERE key_id = "
        "1) WHERE key_id = 2");
  }
  const auto before = store.secret_rows->wrapped_keys().value();
  const auto vault = store.open_vault();
  REQUIRE_FALSE(vault);
  CHECK(vault.error().code == Code::unavailable);
  CHECK(store.secret_rows->wrapped_keys()->size() == before.size());
}

TEST_CASE("A key file that an interrupted first start left is taken") {
  const TemporaryFolder folder;
  replace_key_file(folder / "leger.kek", std::string(32, 'k'));
  Store store(folder.path());
  CHECK(store.open_vault());
  CHECK(read_file(folder / "leger.kek") == std::string(32, 'k'));
}

TEST_CASE("A missing key file beside existing data refuses, and makes none") {
  const TemporaryFolder folder;
  first_start(folder.path());
  fs::remove(folder / "leger.kek");
  Store store(folder.path());
  const auto vault = store.open_vault();
  REQUIRE_FALSE(vault);
  CHECK(vault.error().code == Code::unavailable);
  CHECK(vault.error().message.contains("leger.kek"));
  CHECK(vault.error().action.contains("backup"));
  CHECK_FALSE(fs::exists(folder / "leger.kek"));
}

TEST_CASE("A wrong key refuses, and touches neither the key file nor the store") {
  const TemporaryFolder folder;
  first_start(folder.path());
  const std::string right = read_file(folder / "leger.kek");
  replace_key_file(folder / "leger.kek", std::string(32, 'k'));
  {
    Store store(folder.path());
    const auto before = store.secret_rows->wrapped_keys();
    const auto vault = store.open_vault();
    REQUIRE_FALSE(vault);
    CHECK(vault.error().code == Code::unavailable);
    CHECK(store.secret_rows->wrapped_keys()->front().ciphertext == before->front().ciphertext);
    CHECK(read_file(folder / "leger.kek") == std::string(32, 'k'));
  }
  replace_key_file(folder / "leger.kek", right);
  Store store(folder.path());
  CHECK(store.open_vault());
}

TEST_CASE("A key file that is no key refuses") {
  const TemporaryFolder folder;
  Store store(folder.path());
  SUBCASE("31 bytes") { replace_key_file(folder / "leger.kek", std::string(31, 'k')); }
  SUBCASE("33 bytes") { replace_key_file(folder / "leger.kek", std::string(33, 'k')); }
  SUBCASE("empty") { replace_key_file(folder / "leger.kek", {}); }
  CHECK_FALSE(store.open_vault());
  REQUIRE(store.secret_rows->wrapped_keys());
  CHECK(store.secret_rows->wrapped_keys()->empty());
}

TEST_CASE("A credential comes before the file, and no file is made beside it") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "credentials");
  replace_key_file(folder / "credentials/leger.kek", std::string(32, 'c'));
  {
    Store store(folder.path());
    CHECK(store.open_vault(folder / "credentials"));
    CHECK_FALSE(fs::exists(folder / "leger.kek"));
  }
  replace_key_file(folder / "leger.kek", std::string(32, 'f'));
  Store store(folder.path());
  CHECK(store.open_vault(folder / "credentials"));
  CHECK_FALSE(store.open_vault());
}

TEST_CASE("A row of which any field is another's, or any bit is turned, is refused by its name and without its value") {
  const TemporaryFolder folder;
  Store store(folder.path());
  const auto vault = store.open_vault();
  REQUIRE(vault);
  for (const char* name : {"one", "two", "three"}) put(store, **vault, name, std::string("value of ") + name);
  put(store, **vault, "one", "newer of one");

  const auto refused = [&](const std::string& user, const StoredSecret& row) {
    const auto opened = (*vault)->open(user, row);
    if (opened) return false;
    const Error& error = opened.error();
    return error.code == Code::internal_error && error.message.contains("\"" + row.info.name + "\"") &&
           !(error.message + error.action + error.details).contains("value of");
  };
  const auto changed = [&](const std::string& name, const std::function<void(StoredSecret&)>& change) {
    StoredSecret row = stored(store, name);
    change(row);
    return row;
  };
  for (const std::string name : {"one", "two", "three"}) {
    CAPTURE(name);
    CHECK((*vault)->open(store.user, stored(store, name)));
    CHECK(refused("bob", stored(store, name)));
    CHECK(refused(store.user, changed(name, [](StoredSecret& row) { row.info.name += "x"; })));
    CHECK(refused(store.user, changed(name, [](StoredSecret& row) { ++row.info.version; })));
    CHECK(refused(store.user, changed(name, [](StoredSecret& row) { ++row.value.key_id; })));
    CHECK(refused(store.user, changed(name, [](StoredSecret& row) { row.value.encryption_version = 1; })));
    for (std::string SealedValue::* field : {&SealedValue::nonce, &SealedValue::ciphertext, &SealedValue::tag}) {
      const std::string bytes = stored(store, name).value.*field;
      CHECK(refused(store.user, changed(name, [&](StoredSecret& row) { (row.value.*field).pop_back(); })));
      CHECK(refused(store.user, changed(name, [&](StoredSecret& row) { (row.value.*field) += '\0'; })));
      for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        CAPTURE(bit);
        CHECK(refused(store.user, changed(name, [&](StoredSecret& row) {
                        (row.value.*field)[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
                      })));
      }
    }
    // The whole value of another row, and of another version of the same secret.
    for (const std::string other : {"one", "two", "three"}) {
      if (other == name) continue;
      CHECK(refused(store.user, changed(name, [&](StoredSecret& row) { row.value = stored(store, other).value; })));
    }
  }
  const auto older = store.secret_rows->get(store.user, "one", 1);
  REQUIRE(older);
  CHECK(refused(store.user, changed("one", [&](StoredSecret& row) { row.value = older->value; })));
}

TEST_CASE("Columns swapped between rows in the database itself are refused") {
  const TemporaryFolder folder;
  Store store(folder.path());
  const auto vault = store.open_vault();
  REQUIRE(vault);
  put(store, **vault, "one", "value 1");
  put(store, **vault, "two", "value 2");
  store.execute("CREATE TEMP TABLE kept AS SELECT * FROM secret_versions");
  SUBCASE("nonce, ciphertext and tag") {
    store.execute("UPDATE secret_versions SET nonce = randomblob(12)");  // no nonce may stand twice, not even meanwhile
    store.execute(
        "UPDATE secret_versions AS a SET (nonce, ciphertext, tag) = (SELECT b.nonce, b.ciphertext, b.tag FROM kept b "
        "WHERE b.secret_id <> a.secret_id)");
  }
  SUBCASE("ciphertext") {
    store.execute(
        "UPDATE secret_versions AS a SET ciphertext = (SELECT b.ciphertext FROM kept b WHERE b.secret_id <> "
        "a.secret_id)");
  }
  SUBCASE("tag") {
    store.execute("UPDATE secret_versions AS a SET tag = (SELECT b.tag FROM kept b WHERE b.secret_id <> a.secret_id)");
  }
  for (const char* name : {"one", "two"}) CHECK_FALSE((*vault)->open(store.user, stored(store, name)));
}

TEST_CASE("No file of the state folder holds a trace of a secret, and none holds the key") {
  const TemporaryFolder folder;
  // Random-looking, and long enough that a part of it is no chance.
  const std::string canary = "cAnArY-7f3b91d2e04a6c85-qzKxWvPt";
  {
    Store store(folder.path());
    const auto vault = store.open_vault();
    REQUIRE(vault);
    put(store, **vault, "canary", canary);
    put(store, **vault, "canary", canary + " again");
    std::vector<std::string> needles{canary, hex_encode(canary), read_file(folder / "leger.kek")};
    for (std::size_t skip = 0; skip < 3; ++skip) {
      // Of each alignment only what does not depend on the bytes around it.
      const std::string middle = base64_encode(std::string(skip, 'x') + canary);
      needles.push_back(middle.substr(4, (skip + canary.size()) / 3 * 4 - 4));
    }
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "state")) {
      if (!entry.is_regular_file()) continue;
      ++files;
      const std::string bytes = read_file(entry.path().string());
      for (const std::string& needle : needles) CHECK_FALSE(bytes.contains(needle));
    }
    CHECK(files >= 3);  // the database, its log, the lock
    REQUIRE(fs::exists(folder / "state/leger.db-wal"));
    CHECK(
        read_file(folder / "state/leger.db-wal").contains("canary"));  // the name is no secret: the scan does see rows
  }
  CHECK_FALSE(read_file(folder / "state/leger.db").contains(canary));
}

}  // namespace leger
