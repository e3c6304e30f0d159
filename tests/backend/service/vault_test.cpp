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
#include "tests/backend/service/store.h"
#include "tests/backend/service/values.h"
#include "tests/quadlets/archives.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::put;
using test::read_file;
using test::replace_key_file;
using test::run;
using test::Store;
using test::TemporaryFolder;

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
  REQUIRE(store.key_rows->wrapped_keys());
  CHECK(store.key_rows->wrapped_keys()->size() == 2);
  const auto vault = store.open_vault();
  REQUIRE(vault);
  const auto value = (*vault)->open(store.user, store.stored("token"));
  REQUIRE(value);
  CHECK(value->reveal() == "the value");
  CHECK(read_file(folder / "leger.kek") == key);
  CHECK(store.key_rows->wrapped_keys()->size() == 2);
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
    CHECK(store.stored("token").value.key_id == 1);
    StoredSecret other = store.stored("token");
    other.value.key_id = 2;
    CHECK_FALSE((*vault)->open(store.user, other));
    const auto rows = store.key_rows->wrapped_keys().value();
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
    CHECK((*vault)->open(store.user, store.stored("token"))->reveal() == "the value");
  }
  SUBCASE("with a second one, that secrets are sealed with and whose number is not the token key's") {
    const Key kek = Key::from_bytes(read_file(folder / "leger.kek")).value();
    const auto sealed = seal(kek, std::string(32, 's'), data_key_associated_data(9));
    REQUIRE(sealed);
    REQUIRE(run(store.loop, store.key_rows->add({.key_id = 9,
                                                 .purpose = "secrets",
                                                 .nonce = sealed->nonce,
                                                 .ciphertext = sealed->ciphertext,
                                                 .tag = sealed->tag,
                                                 .created_at = "t"},
                                                std::nullopt)));
    const auto vault = store.open_vault();
    REQUIRE(vault);
    CHECK((*vault)->token_key_id() == 10);
    CHECK((*vault)->token_key(9) == nullptr);
    put(store, **vault, "newer", "x");
    CHECK(store.stored("newer").value.key_id == 9);
    CHECK((*vault)->open(store.user, store.stored("token"))->reveal() == "the value");
  }
  SUBCASE("not by a wrong key") {
    replace_key_file(folder / "leger.kek", std::string(32, 'k'));
    CHECK_FALSE(store.open_vault());
    CHECK(store.key_rows->wrapped_keys()->size() == 1);
  }
}

TEST_CASE("A newer token key signs, and the older one is still known") {
  const TemporaryFolder folder;
  first_start(folder.path());
  Store store(folder.path());
  const Key kek = Key::from_bytes(read_file(folder / "leger.kek")).value();
  const auto sealed = seal(kek, std::string(32, 't'), token_key_associated_data(3));
  REQUIRE(sealed);
  REQUIRE(run(store.loop, store.key_rows->add({.key_id = 3,
                                               .purpose = "tokens",
                                               .nonce = sealed->nonce,
                                               .ciphertext = sealed->ciphertext,
                                               .tag = sealed->tag,
                                               .created_at = "t"},
                                              std::nullopt)));
  const auto vault = store.open_vault();
  REQUIRE(vault);
  CHECK((*vault)->token_key_id() == 3);
  CHECK((*vault)->token_key(3)->reveal() == std::string(32, 't'));
  REQUIRE((*vault)->token_key(2) != nullptr);
  CHECK((*vault)->token_key(2)->reveal() != std::string(32, 't'));
  put(store, **vault, "another", "x");
  CHECK(store.stored("another").value.key_id == 1);
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
  const auto before = store.key_rows->wrapped_keys().value();
  const auto vault = store.open_vault();
  REQUIRE_FALSE(vault);
  CHECK(vault.error().code == Code::unavailable);
  CHECK(store.key_rows->wrapped_keys()->size() == before.size());
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
    const auto before = store.key_rows->wrapped_keys();
    const auto vault = store.open_vault();
    REQUIRE_FALSE(vault);
    CHECK(vault.error().code == Code::unavailable);
    CHECK(store.key_rows->wrapped_keys()->front().ciphertext == before->front().ciphertext);
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
  REQUIRE(store.key_rows->wrapped_keys());
  CHECK(store.key_rows->wrapped_keys()->empty());
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
