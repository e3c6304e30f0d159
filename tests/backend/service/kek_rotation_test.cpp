// Passages to another key-encryption key, and the starts that follow them.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "backend/crypto/seal.h"
#include "tests/backend/service/rotating.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::at_socket;
using test::put;
using test::read_file;
using test::replace_key_file;
using test::Rotating;
using test::Store;
using test::TemporaryFolder;

const std::string kNewKey(32, 'n');

// A folder with one secret whose keys were passed to the key in new.kek; the configured file has the old one still.
struct Passed {
  Passed() {
    replace_key_file(folder / "new.kek", kNewKey);
    Rotating it(folder.path());
    it.set("token", "the value");
    REQUIRE(it.rotate_kek(folder / "new.kek"));
    CHECK(it.get("token") == "the value");
  }
  // What a start finds: the value, or why there is none.
  std::string start(std::optional<std::string>* new_key_file = nullptr) {
    Store store(folder.path());
    const auto vault = store.open_vault();
    if (!vault) return vault.error().message;
    if (new_key_file != nullptr) *new_key_file = (*vault)->new_key_file();
    const auto value = (*vault)->open(store.user, store.stored("token"));
    return value ? std::string(value->reveal()) : value.error().message;
  }
  std::optional<std::string> noted() {
    Store store(folder.path());
    return store.key_rows->new_key_file().value();
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("After a passage to a new key-encryption key both files are tried, until the configured one is the new one") {
  Passed it;
  std::optional<std::string> file;
  CHECK(it.start(&file) == "the value");  // by the noted file
  CHECK(file == it.folder / "new.kek");
  CHECK(it.noted() == it.folder / "new.kek");
  replace_key_file(it.folder / "leger.kek", kNewKey);
  CHECK(it.start(&file) == "the value");  // by the configured file
  CHECK(file == std::nullopt);
  CHECK(it.noted() == std::nullopt);
  fs::remove(it.folder / "new.kek");
  CHECK(it.start() == "the value");
}

TEST_CASE("The new key alone opens: without its file, or with another key in it, the start is refused") {
  Passed it;
  SUBCASE("none") { fs::remove(it.folder / "new.kek"); }
  SUBCASE("another") { replace_key_file(it.folder / "new.kek", std::string(32, 'x')); }
  const std::string old = read_file(it.folder / "leger.kek");
  const std::string said = it.start();
  CHECK(said.contains("No key opens this state folder"));
  CHECK(said.contains(it.folder / "new.kek"));
  CHECK(it.noted() == it.folder / "new.kek");
  CHECK(read_file(it.folder / "leger.kek") == old);
  replace_key_file(it.folder / "new.kek", kNewKey);
  CHECK(it.start() == "the value");
}

TEST_CASE("The noted key opens where the configured file is missing, is no key or is open to others") {
  Passed it;
  SUBCASE("missing") { fs::remove(it.folder / "leger.kek"); }
  SUBCASE("no key") { replace_key_file(it.folder / "leger.kek", "short"); }
  SUBCASE("open to others") { REQUIRE(chmod((it.folder / "leger.kek").c_str(), 0444) == 0); }
  CHECK(it.start() == "the value");
  CHECK(it.noted() == it.folder / "new.kek");
}

TEST_CASE("A passage that was not written leaves the old key in use") {
  const TemporaryFolder folder;
  replace_key_file(folder / "new.kek", kNewKey);
  {
    Rotating it(folder.path());
    it.set("token", "the value");
    it.store.execute(
        "CREATE TRIGGER block BEFORE UPDATE ON data_keys WHEN old.purpose = 'tokens'"
        " BEGIN SELECT RAISE(ABORT, 'blocked'); END");
    CHECK_FALSE(it.rotate_kek(folder / "new.kek"));
    CHECK(it.vault->new_key_file() == std::nullopt);
    CHECK(it.store.key_rows->new_key_file().value() == std::nullopt);
    CHECK(it.audit.count("key.rotate_kek") == 0);
    it.store.execute("DROP TRIGGER block");
    it.start();
    REQUIRE(it.rotate());  // wrapped with the old one
    it.until_done();
  }
  fs::remove(folder / "new.kek");
  Store store(folder.path());
  CHECK(store.open_vault());
}

TEST_CASE("Data keys that are made after the passage are wrapped with the new key, and the old one opens none") {
  Passed it;
  {
    Rotating rotating(it.folder.path());
    rotating.start();
    REQUIRE(rotating.rotate());
    rotating.until_done();
  }
  CHECK(it.start() == "the value");
  Store store(it.folder.path());
  const Key old = Key::from_bytes(read_file(it.folder / "leger.kek")).value();
  const auto rows = store.key_rows->wrapped_keys().value();
  for (const WrappedKey& row : rows) {
    const std::string bound =
        row.purpose == "tokens" ? token_key_associated_data(row.key_id) : data_key_associated_data(row.key_id);
    CHECK_FALSE(open_sealed(old, {row.nonce, row.ciphertext, row.tag}, bound));
  }
}

TEST_CASE("A second passage is noted in place of the first, and one back to the configured key needs no note") {
  Passed it;
  replace_key_file(it.folder / "newer.kek", std::string(32, 'm'));
  {
    Rotating rotating(it.folder.path());
    REQUIRE(rotating.rotate_kek(it.folder / "newer.kek"));
  }
  fs::remove(it.folder / "new.kek");
  CHECK(it.start() == "the value");
  CHECK(it.noted() == it.folder / "newer.kek");
  {
    Rotating rotating(it.folder.path());
    REQUIRE(rotating.rotate_kek(it.folder / "leger.kek"));
  }
  fs::remove(it.folder / "newer.kek");
  CHECK(it.start() == "the value");
  CHECK(it.noted() == std::nullopt);
}

TEST_CASE("A passage is on record with its file, and nothing of either key is in the state folder") {
  const TemporaryFolder folder;
  replace_key_file(folder / "new.kek", kNewKey);
  Rotating it(folder.path());
  const std::string wrapped = it.store.key_rows->wrapped_keys()->front().ciphertext;
  REQUIRE(it.rotate_kek(folder / "new.kek"));
  const auto entries = it.audit.entries("key.rotate_kek");
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].record.object == folder / "new.kek");
  CHECK(entries[0].record.actor == it.store.user);
  for (const char* name : {"/leger.db", "/leger.db-wal"}) {
    const std::string bytes = read_file(it.store.state_dir() + name);
    CHECK_FALSE(bytes.contains(kNewKey));
    CHECK_FALSE(bytes.contains(read_file(it.store.key_file())));
    CHECK_FALSE(bytes.contains(wrapped));  // whoever has the old key cannot unwrap it from here
  }
}

TEST_CASE("The key that is in use is no new one, whatever its file") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  replace_key_file(folder / "same.kek", read_file(it.store.key_file()));
  for (const std::string& file : {folder / "same.kek", it.store.key_file()}) {
    const auto refused = it.rotate_kek(file);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::conflict);
  }
}

TEST_CASE("A file that cannot be a new key's is refused, with how to make one, and nothing changes") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  std::string file = folder / "new.kek";
  std::string why;
  SUBCASE("absent") { why = "There is no key file"; }
  SUBCASE("31 bytes") { replace_key_file(file, std::string(31, 'k')), why = "has 31 bytes"; }
  SUBCASE("33 bytes") { replace_key_file(file, std::string(33, 'k')), why = "has 33 bytes"; }
  SUBCASE("open to others") {
    replace_key_file(file, kNewKey);
    REQUIRE(chmod(file.c_str(), 0440) == 0);
    why = "may be read or changed by others";
  }
  SUBCASE("a symbolic link") {
    replace_key_file(folder / "real.kek", kNewKey);
    fs::create_symlink(folder / "real.kek", file);
    why = "is a symbolic link";
  }
  SUBCASE("a folder") { fs::create_directory(file), why = "is not a regular file"; }
  SUBCASE("a relative path") { file = "new.kek", why = "needs an absolute path"; }
  SUBCASE("no path") { file.clear(), why = "needs an absolute path"; }
  SUBCASE("a path with a NUL") { file.push_back('\0'), why = "needs an absolute path"; }
  SUBCASE("inside the state folder") {
    file = it.store.state_dir() + "/new.kek";
    replace_key_file(file, kNewKey);
    why = "is in the state folder";
  }
  SUBCASE("inside the state folder, by way of a link") {
    fs::create_directory_symlink(it.store.state_dir(), folder / "elsewhere");
    file = folder / "elsewhere/new.kek";
    replace_key_file(file, kNewKey);
    why = "is in the state folder";
  }
  SUBCASE("inside the state folder, by way of dots") {
    replace_key_file(it.store.state_dir() + "/new.kek", kNewKey);
    file = folder / "state/../state/new.kek";
    why = "is in the state folder";
  }
  const auto before = it.store.key_rows->wrapped_keys()->front().ciphertext;
  const auto refused = it.rotate_kek(file);
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().code == Code::invalid_request);
  CHECK(refused.error().message.contains(why));
  CHECK(refused.error().action.contains("head -c 32 /dev/urandom"));
  CHECK(it.store.key_rows->wrapped_keys()->front().ciphertext == before);
}

TEST_CASE("A configured key file inside the state folder is refused, and none is made there") {
  const TemporaryFolder folder;
  Store store(folder.path());
  const std::string file = store.state_dir() + "/leger.kek";
  const auto vault = test::run(store.loop, Vault::open(*store.key_rows, {{}, file, store.state_dir()}, store.clock));
  REQUIRE_FALSE(vault);
  CHECK(vault.error().message.contains("is in the state folder"));
  CHECK_FALSE(fs::exists(file));
  CHECK(store.key_rows->wrapped_keys()->empty());
  // A folder beside it whose name only begins like it is another.
  const auto beside = test::run(
      store.loop, Vault::open(*store.key_rows, {{}, folder / "state-keys/leger.kek", store.state_dir()}, store.clock));
  CHECK(beside);
}

TEST_CASE("Two passages at once: the second is a conflict") {
  const TemporaryFolder folder;
  replace_key_file(folder / "new.kek", kNewKey);
  Rotating it(folder.path());
  std::optional<Result<std::uint32_t>> data;
  struct Other {
    static Task<void> rotate(Rotating& rotating, std::optional<Result<std::uint32_t>>& outcome) {
      outcome = co_await rotating.rotation.rotate_data_key(at_socket(rotating.store.user));
    }
  };
  auto kek = it.rotation.rotate_kek(at_socket(it.store.user), folder / "new.kek");
  std::optional<Result<void>> passed;
  struct First {
    static Task<void> rotate(Task<Result<void>> task, std::optional<Result<void>>& outcome) { outcome = co_await task; }
  };
  const auto rethrow = [](std::exception_ptr problem) { std::rethrow_exception(problem); };
  it.store.loop.spawn(First::rotate(std::move(kek), passed), rethrow);
  it.store.loop.spawn(Other::rotate(it, data), rethrow);
  it.until([&] { return passed.has_value() && data.has_value(); });
  CHECK(passed->has_value());
  REQUIRE_FALSE(data->has_value());
  CHECK(data->error().code == Code::conflict);
}

TEST_CASE("What is to be run names the credential where there is one, and both files otherwise, quoted for a shell") {
  const TemporaryFolder folder;
  CHECK(how_to_install({{}, "/etc/a key", "/state"}, "/new's.kek") == R"(install -m 400 '/new'\''s.kek' '/etc/a key')");
  fs::create_directory(folder / "credentials");
  const KeyPlaces places{folder / "credentials", "/etc/leger.kek", "/state"};
  CHECK(how_to_install(places, "/new.kek").starts_with("install"));
  replace_key_file(folder / "credentials/leger.kek", kNewKey);
  CHECK(how_to_install(places, "/new.kek").contains("credential leger.kek"));
}

}  // namespace leger
