#include "backend/crypto/key.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support.h"

using namespace leger;
using leger::test::TemporaryFolder;

namespace {

constexpr bool kPlainFile = false;
constexpr bool kCredential = true;

void put(const std::string& path, std::string_view bytes, mode_t mode) {
  std::ofstream(path, std::ios::binary) << bytes;
  REQUIRE(chmod(path.c_str(), mode) == 0);
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Refused, with the path in the message and something to do.
void check_refused(const std::string& path, std::string_view why, bool is_credential = kPlainFile) {
  const auto key = read_key_file(path, is_credential);
  REQUIRE_FALSE(key.has_value());
  INFO(key.error().message);
  CHECK(key.error().message.find(path) != std::string::npos);
  CHECK(key.error().message.find(why) != std::string::npos);
  CHECK_FALSE(key.error().action.empty());
}

const std::string kBytes(32, 'K');

}  // namespace

TEST_CASE("a key is a copy of exactly 32 bytes") {
  CHECK(Key::from_bytes(kBytes).value().reveal() == kBytes);
  for (const std::size_t size : {0U, 16U, 31U, 33U, 64U}) {
    const auto key = Key::from_bytes(std::string(size, 'Q'));
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().code == Code::internal_error);
    CHECK(key.error().message.find("QQ") == std::string::npos);
  }
}

TEST_CASE("random keys differ and stay the same when they are moved") {
  Key a = Key::random();
  const Key b = Key::random();
  CHECK(a.reveal() != b.reveal());
  const std::string before(a.reveal());
  const Key moved = std::move(a);
  CHECK(moved.reveal() == before);
}

TEST_CASE("a new key file is 0400, has exactly 32 bytes and is what is read next") {
  const TemporaryFolder folder;
  const std::string path = folder / "leger.kek";
  const mode_t old_mask = umask(0);
  const auto made = make_key_file(path);
  umask(old_mask);
  REQUIRE(made.has_value());
  CHECK(mode_of(path) == 0400);
  CHECK(content_of(path) == made->reveal());
  const auto read = read_key_file(path, kPlainFile);
  REQUIRE(read.has_value());
  REQUIRE(read->has_value());
  CHECK((*read)->reveal() == made->reveal());
}

TEST_CASE("making a key file leaves nothing else in its folder") {
  const TemporaryFolder folder;
  REQUIRE(make_key_file(folder / "leger.kek").has_value());
  std::filesystem::directory_iterator entries(folder.path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("the folders that a first start misses are made 0700") {
  const TemporaryFolder folder;
  REQUIRE(make_key_file(folder / "config/leger/leger.kek").has_value());
  CHECK(mode_of(folder / "config") == 0700);
  CHECK(mode_of(folder / "config/leger") == 0700);
}

TEST_CASE("a key file that exists is never overwritten") {
  const TemporaryFolder folder;
  const std::string path = folder / "leger.kek";
  put(path, "something", 0600);
  const auto made = make_key_file(path);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().code == Code::conflict);
  CHECK(content_of(path) == "something");
  std::filesystem::directory_iterator entries(folder.path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("a dangling link in the key's place is not followed by making") {
  const TemporaryFolder folder;
  REQUIRE(symlink((folder / "elsewhere").c_str(), (folder / "leger.kek").c_str()) == 0);
  const auto made = make_key_file(folder / "leger.kek");
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().code == Code::conflict);
  CHECK_FALSE(std::filesystem::exists(folder / "elsewhere"));
}

TEST_CASE("a folder that cannot be made is an error that names it") {
  const TemporaryFolder folder;
  put(folder / "file", "", 0600);
  const auto made = make_key_file(folder / "file/leger.kek");
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().message.find(folder / "file") != std::string::npos);
  REQUIRE(symlink("nowhere", (folder / "dangling").c_str()) == 0);
  CHECK_FALSE(make_key_file(folder / "dangling/deeper/leger.kek").has_value());
}

TEST_CASE("an absent key file is no key and no error") {
  const TemporaryFolder folder;
  for (const bool credential : {kPlainFile, kCredential}) {
    const auto key = read_key_file(folder / "leger.kek", credential);
    REQUIRE(key.has_value());
    CHECK_FALSE(key->has_value());
  }
}

TEST_CASE("a key file of another size is refused and nothing of it is quoted") {
  const TemporaryFolder folder;
  for (const std::size_t size : {0U, 16U, 31U, 33U, 64U, 65'536U}) {
    const std::string path = folder / ("key" + std::to_string(size));
    put(path, std::string(size, 'Q'), 0400);
    check_refused(path, "32 bytes");
    CHECK(read_key_file(path, kPlainFile).error().message.find("QQ") == std::string::npos);
  }
}

TEST_CASE("a key file that others may read or write is refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "leger.kek";
  put(path, kBytes, 0400);
  for (const mode_t mode : {0440, 0404, 0640, 0644, 0604, 0402, 0420, 0410, 0401, 0777}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    check_refused(path, "others");
  }
  for (const mode_t mode : {0400, 0600}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK(read_key_file(path, kPlainFile).has_value());
  }
}

TEST_CASE("a credential may be readable by its group, as systemd's access list shows it, and by nobody else") {
  const TemporaryFolder folder;
  const std::string path = folder / "leger.kek";
  put(path, kBytes, 0440);
  const auto key = read_key_file(path, kCredential);
  REQUIRE(key.has_value());
  REQUIRE(key->has_value());
  CHECK((*key)->reveal() == kBytes);
  for (const mode_t mode : {0444, 0460, 0404, 0442}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    check_refused(path, "others", kCredential);
  }
}

TEST_CASE("a link, a folder, a FIFO or a device in the key's place is refused and none of them holds the start") {
  const TemporaryFolder folder;
  put(folder / "real", kBytes, 0400);
  REQUIRE(symlink((folder / "real").c_str(), (folder / "link").c_str()) == 0);
  check_refused(folder / "link", "symbolic link");
  REQUIRE(mkdir((folder / "folder").c_str(), 0700) == 0);
  check_refused(folder / "folder", "not a regular file");
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  check_refused(folder / "fifo", "not a regular file");
  check_refused("/dev/zero", "not a regular file");
}

TEST_CASE("a key file of another account is refused") {
  if (geteuid() != 0) {
    MESSAGE("SKIPPED: only root can give a file away");
    return;
  }
  const TemporaryFolder folder;
  const std::string path = folder / "leger.kek";
  put(path, kBytes, 0400);
  REQUIRE(chown(path.c_str(), 12345, 12345) == 0);
  check_refused(path, "another account");
  CHECK(read_key_file(path, kCredential).has_value());
}
