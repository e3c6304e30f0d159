// The log of the database, written in one piece: what goes to its file, when, and that nothing of it is missing.

#include "backend/store/gathered_log.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/store/statement.h"
#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

// A disk whose writes to logs are counted, and fail where a test wants it. From before the database is opened until
// after it was closed.
class LogDisk {
 public:
  static constexpr int kEndless = 1'000'000'000;

  LogDisk() : real_(sqlite3_vfs_find(nullptr)), own_(*real_) {
    real_open() = real_->xOpen;
    own_.zName = "leger-log-disk";
    own_.xOpen = open;
    if (sqlite3_vfs_register(&own_, 1) != SQLITE_OK) throw std::runtime_error("cannot register a VFS");
    state() = {};
  }
  LogDisk(const LogDisk&) = delete;
  LogDisk& operator=(const LogDisk&) = delete;
  ~LogDisk() {
    sqlite3_vfs_unregister(&own_);
    sqlite3_vfs_register(real_, 1);
  }

  // Bytes of each write since the last call.
  std::vector<int> take() { return std::exchange(state().writes, {}); }
  // From now on takes so many writes, and no more.
  void set_room(int writes) { state().room = writes; }

 private:
  using Methods = sqlite3_io_methods;
  struct State {
    std::vector<int> writes;
    int room = kEndless;
  };
  static State& state() {
    static State state;
    return state;
  }
  static decltype(sqlite3_vfs::xOpen)& real_open() {
    static decltype(sqlite3_vfs::xOpen) open = nullptr;
    return open;
  }
  static Methods& real_methods() {
    static Methods methods;
    return methods;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    const int answer = real_open()(vfs, name, file, flags, out);
    if (answer != SQLITE_OK || (flags & SQLITE_OPEN_WAL) == 0) return answer;
    static Methods counting;
    real_methods() = *file->pMethods;
    counting = *file->pMethods;
    counting.xWrite = write;
    file->pMethods = &counting;
    return answer;
  }
  static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    if (state().room-- <= 0) return SQLITE_FULL;
    state().writes.push_back(count);
    return real_methods().xWrite(file, bytes, count, offset);
  }

  sqlite3_vfs* real_;
  sqlite3_vfs own_;
};

struct Numbers {
  Numbers() {
    std::string path = folder / "test.db";
    sqlite3* fresh = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &fresh) == SQLITE_OK);
    REQUIRE(sqlite3_exec(fresh,
                         "PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER PRIMARY KEY, bytes BLOB)",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(fresh);
    writing = Connection::open(path, Connection::Access::read_write).value();
    reading = Connection::open(path, Connection::Access::read_only).value();
    REQUIRE(add(1, 1));
    disk.take();
  }
  bool add(std::int64_t number, std::int64_t bytes) {
    return writing->prepare("INSERT INTO numbers VALUES (?1, zeroblob(?2))")
        .bind(1, number)
        .bind(2, bytes)
        .run()
        .has_value();
  }
  static std::int64_t sum(Connection& connection) {
    Statement statement = connection.prepare("SELECT sum(number) FROM numbers");
    REQUIRE(statement.step().value());
    return statement.integer(0);
  }

  LogDisk disk;
  TemporaryFolder folder;
  std::unique_ptr<Connection> writing;
  std::unique_ptr<Connection> reading;
};

// What is found after a crash, with so many bytes of the log.
std::int64_t sum_after_crash(const Numbers& numbers, std::size_t bytes) {
  const TemporaryFolder after;
  std::ofstream(after / "test.db", std::ios::binary) << content_of(numbers.folder / "test.db");
  std::ofstream(after / "test.db-wal", std::ios::binary) << content_of(numbers.folder / "test.db-wal").substr(0, bytes);
  const auto connection = Connection::open(after / "test.db", Connection::Access::read_write).value();
  Statement check = connection->prepare("PRAGMA integrity_check");
  REQUIRE(check.step().value());
  REQUIRE(check.text(0) == "ok");
  return Numbers::sum(*connection);
}

constexpr int kFrame = 24 + 4096;
constexpr int kMostAtOnce = 64 << 10;

}  // namespace

TEST_CASE("a transaction goes to the log in one write, before another connection sees it") {
  Numbers numbers;
  REQUIRE(numbers.writing->execute("BEGIN").has_value());
  REQUIRE(numbers.add(2, 10'000));
  CHECK(numbers.disk.take().empty());
  CHECK(numbers.sum(*numbers.reading) == 1);
  REQUIRE(numbers.writing->execute("COMMIT").has_value());
  const auto writes = numbers.disk.take();
  REQUIRE(writes.size() == 1);
  CHECK(writes[0] % kFrame == 0);
  CHECK(writes[0] > 2 * kFrame);
  CHECK(numbers.sum(*numbers.reading) == 3);
}

TEST_CASE("of a write that power left half done nothing is there after it") {
  Numbers numbers;
  REQUIRE(numbers.add(2, 10'000));
  const auto writes = numbers.disk.take();
  REQUIRE(writes.size() == 1);
  const std::size_t all = content_of(numbers.folder / "test.db-wal").size();
  for (std::size_t size = all - static_cast<std::size_t>(writes[0]); size < all; size += 500) {
    REQUIRE(sum_after_crash(numbers, size) == 1);
  }
  CHECK(sum_after_crash(numbers, all - 1) == 1);
  CHECK(sum_after_crash(numbers, all) == 3);
}

TEST_CASE("a transaction that is not synced is seen by another connection as well") {
  Numbers numbers;
  REQUIRE(numbers.writing->execute("PRAGMA synchronous = OFF").has_value());
  for (int number = 2; number <= 30; ++number) {
    REQUIRE(numbers.add(number, 5000));
    CHECK(numbers.sum(*numbers.reading) == number * (number + 1) / 2);
  }
}

TEST_CASE("connections that take turns to write, synced or not, see what the others wrote") {
  Numbers numbers;
  const auto other = Connection::open(numbers.folder / "test.db", Connection::Access::read_write).value();
  REQUIRE(other->execute("PRAGMA synchronous = OFF").has_value());
  for (int number = 2; number <= 30; number += 2) {
    REQUIRE(other->prepare("INSERT INTO numbers VALUES (?1, zeroblob(5000))").bind(1, number).run().has_value());
    CHECK(numbers.sum(*numbers.reading) == number * (number + 1) / 2);
    REQUIRE(numbers.add(number + 1, 5000));
    CHECK(numbers.sum(*other) == (number + 1) * (number + 2) / 2);
  }
}

TEST_CASE("a transaction of any size goes to the log in bounded pieces, none of them lost") {
  Numbers numbers;
  constexpr int kBytes = 3'000'000;
  REQUIRE(numbers.add(2, kBytes));
  int written = 0;
  for (const int count : numbers.disk.take()) {
    CHECK(count <= kMostAtOnce);
    written += count;
  }
  CHECK(written > kBytes);
  Statement statement =
      numbers.reading->prepare("SELECT length(bytes), bytes = zeroblob(?1) FROM numbers WHERE number = 2");
  statement.bind(1, std::int64_t{kBytes});
  REQUIRE(statement.step().value());
  CHECK(statement.integer(0) == kBytes);
  CHECK(statement.integer(1) == 1);
}

TEST_CASE(
    "nothing of a transaction goes to the log before its commit, whatever its size, and nothing of one rolled back") {
  Numbers numbers;
  REQUIRE(numbers.writing->execute("PRAGMA cache_size = 10; BEGIN").has_value());
  for (int number = 2; number <= 300; ++number) REQUIRE(numbers.add(number, 5000));
  CHECK(numbers.sum(*numbers.writing) == 300 * 301 / 2);
  CHECK(numbers.disk.take().empty());
  REQUIRE(numbers.writing->execute("ROLLBACK").has_value());
  // Another one commits where that would have been; then everything that reads or changes the log comes by.
  const auto other = Connection::open(numbers.folder / "test.db", Connection::Access::read_write).value();
  REQUIRE(other->prepare("INSERT INTO numbers VALUES (2, zeroblob(50000))").run().has_value());
  numbers.disk.take();
  CHECK(numbers.sum(*numbers.writing) == 3);
  CHECK(numbers.disk.take().empty());
  CHECK(sum_after_crash(numbers, std::string::npos) == 3);
  REQUIRE(numbers.writing->execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
  REQUIRE(numbers.add(3, 10));
  CHECK(sum_after_crash(numbers, std::string::npos) == 6);
}

TEST_CASE("a disk that is full at any piece refuses the whole transaction, and takes the next when it has room") {
  constexpr int kBytes = 200'000;
  for (int pieces = 0; pieces < 3; ++pieces) {
    Numbers numbers;
    numbers.disk.set_room(pieces);
    CHECK_FALSE(numbers.add(2, kBytes));
    CHECK(numbers.sum(*numbers.writing) == 1);
    CHECK(sum_after_crash(numbers, std::string::npos) == 1);
    numbers.disk.set_room(LogDisk::kEndless);
    CHECK(numbers.add(3, kBytes));
    CHECK(numbers.sum(*numbers.reading) == 4);
    CHECK(sum_after_crash(numbers, std::string::npos) == 4);
  }
}

TEST_CASE("a statement of a transaction that fails for itself is undone, and the rest is whole in the log") {
  Numbers numbers;
  REQUIRE(numbers.writing->execute("PRAGMA cache_size = 10; BEGIN").has_value());
  for (int number = 2; number <= 50; ++number) REQUIRE(numbers.add(number, 5000));
  REQUIRE(numbers.writing->execute("SAVEPOINT job").has_value());
  numbers.disk.set_room(0);
  CHECK_FALSE(
      numbers.writing
          ->execute("INSERT INTO numbers SELECT CASE WHEN number = 50 THEN 1 ELSE number + 100 END, zeroblob(9000)"
                    " FROM numbers")
          .has_value());
  REQUIRE(numbers.writing->execute("ROLLBACK TO job; RELEASE job").has_value());
  numbers.disk.set_room(LogDisk::kEndless);
  REQUIRE(numbers.writing->execute("COMMIT").has_value());
  CHECK(numbers.sum(*numbers.reading) == 50 * 51 / 2);
  CHECK(sum_after_crash(numbers, std::string::npos) == 50 * 51 / 2);
}
