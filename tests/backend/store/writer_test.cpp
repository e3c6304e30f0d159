#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

// The durable transactions of the write-ahead log: those of its frames that end one tell the database's size
// (https://www.sqlite.org/fileformat2.html#walformat). The two salts tell this log's frames from what was there before.
int commits_in_log(const std::string& path) {
  constexpr std::size_t kHeader = 32;
  constexpr std::size_t kFrameHeader = 24;
  const std::string log = content_of(path);
  if (log.size() < kHeader) return 0;
  const std::size_t page = big_endian(log, 8);
  int commits = 0;
  for (std::size_t at = kHeader; at + kFrameHeader + page <= log.size(); at += kFrameHeader + page) {
    if (log.compare(at + 8, 8, log, 16, 8) != 0) break;
    if (big_endian(log, at + 4) != 0) ++commits;
  }
  return commits;
}

Database::Work add_number(std::int64_t number) {
  return [number](Connection& connection) {
    return connection.prepare("INSERT INTO numbers VALUES (?1)").bind(1, number).run();
  };
}

struct Numbers : Store {
  Numbers() { REQUIRE(execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT").has_value()); }
  std::int64_t count() { return number("SELECT count(*) FROM numbers"); }
};

}  // namespace

TEST_CASE("many writes at once share few durable transactions") {
  constexpr int kWrites = 500;
  Numbers store;
  const int before = commits_in_log(store.file("leger.db-wal"));
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  for (int i = 0; i < kWrites; ++i) tasks.start(store.database().write(add_number(i)));
  gate.open();
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
  CHECK(store.count() == kWrites);
  // The gate's transaction changes nothing and leaves no frame; of the others 64 go together.
  CHECK(commits_in_log(store.file("leger.db-wal")) - before == 8);
}

TEST_CASE("one write after the other is durable one by one") {
  Numbers store;
  const int before = commits_in_log(store.file("leger.db-wal"));
  for (int i = 0; i < 5; ++i) CHECK(store.write(add_number(i)).has_value());
  CHECK(commits_in_log(store.file("leger.db-wal")) - before == 5);
}

TEST_CASE("an error or an exception in one job undoes that job alone") {
  Numbers store;
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  tasks.start(store.database().write(add_number(1)));
  tasks.start(store.database().write([](Connection& connection) -> Result<void> {
    if (auto added = add_number(2)(connection); !added) return added;
    return Fail({Code::conflict, "changed its mind", {}, {}});
  }));
  tasks.start(store.database().write([](Connection& connection) -> Result<void> {
    ignore(add_number(3)(connection));
    throw std::runtime_error("a bug");
  }));
  tasks.start(store.database().write([](Connection& connection) -> Result<void> {
    ignore(add_number(4)(connection));
    throw 7;
  }));
  tasks.start(store.database().write(add_number(1)));  // taken
  tasks.start(store.database().write(add_number(6)));
  gate.open();
  const auto results = tasks.finish();
  CHECK(results[1].has_value());
  REQUIRE_FALSE(results[2].has_value());
  CHECK(results[2].error().code == Code::conflict);
  CHECK(results[2].error().message == "changed its mind");
  REQUIRE_FALSE(results[3].has_value());
  CHECK(results[3].error().code == Code::internal_error);
  CHECK(results[3].error().message.find("a bug") != std::string::npos);
  REQUIRE_FALSE(results[4].has_value());
  CHECK(results[4].error().code == Code::internal_error);
  CHECK_FALSE(results[5].has_value());
  CHECK(results[6].has_value());
  CHECK(store.number("SELECT sum(number) FROM numbers") == 7);
}

TEST_CASE("a statement that a failed job left in the middle does not hold the batch") {
  Numbers store;
  REQUIRE(store.write(add_number(1)).has_value());
  REQUIRE(store.write(add_number(2)).has_value());
  const auto failed = store.write([](Connection& connection) -> Result<void> {
    Statement reading = connection.prepare("SELECT number FROM numbers");
    ignore(reading.step());
    throw std::runtime_error("in the middle");
  });
  CHECK_FALSE(failed.has_value());
  CHECK(store.write(add_number(3)).has_value());
  CHECK(store.count() == 3);
}

TEST_CASE("a COMMIT that fails is the error of all that were in it, and the next one works") {
  Numbers store;
  REQUIRE(store
              .execute(
                  "CREATE TABLE child (number INTEGER REFERENCES numbers(number) DEFERRABLE INITIALLY DEFERRED) STRICT")
              .has_value());
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  tasks.start(store.database().write(add_number(1)));
  tasks.start(store.database().write([](Connection& c) { return c.execute("INSERT INTO child VALUES (99)"); }));
  tasks.start(
      store.database().write([](Connection&) -> Result<void> { return Fail({Code::conflict, "its own", {}, {}}); }));
  gate.open();
  const auto results = tasks.finish();
  CHECK_FALSE(results[1].has_value());
  CHECK_FALSE(results[2].has_value());
  REQUIRE_FALSE(results[3].has_value());
  CHECK(results[3].error().message == "its own");
  CHECK(store.count() == 0);
  CHECK(store.write(add_number(2)).has_value());
  CHECK(store.count() == 1);
}

TEST_CASE("where SQLite gives the transaction up, nobody in it is told of success") {
  Numbers store;
  for (const char* end : {"ROLLBACK", "COMMIT"}) {
    INFO(end);
    Several<Result<void>> tasks(store.loop());
    Gate gate;
    gate.enter(tasks, store.database());
    tasks.start(store.database().write(add_number(1)));
    // Stands for an error after which SQLite is out of the transaction.
    tasks.start(store.database().write([end](Connection& connection) -> Result<void> {
      ignore(connection.execute(end));
      return Fail({Code::insufficient_storage, "full", {}, {}});
    }));
    tasks.start(store.database().write(add_number(2)));
    gate.open();
    const auto results = tasks.finish();
    for (const std::size_t i : {1U, 2U, 3U}) {
      REQUIRE_FALSE(results[i].has_value());
      CHECK(results[i].error().code == Code::insufficient_storage);
    }
    REQUIRE(store.execute("DELETE FROM numbers").has_value());
    CHECK(store.write(add_number(1)).has_value());
    REQUIRE(store.execute("DELETE FROM numbers").has_value());
  }
}

TEST_CASE("a job that ends the transaction and calls it success is an error of all") {
  Numbers store;
  const auto ended = store.write([](Connection& connection) { return connection.execute("ROLLBACK"); });
  CHECK_FALSE(ended.has_value());
  CHECK(store.write(add_number(1)).has_value());
}

TEST_CASE("a full disk is insufficient_storage, half of nothing stays, and writing goes on when there is room") {
  Numbers store;
  REQUIRE(store.execute("CREATE TABLE big (bytes BLOB) STRICT").has_value());
  const std::int64_t pages = store.number("PRAGMA page_count");
  const std::string limit = "PRAGMA max_page_count = " + std::to_string(pages + 4);
  REQUIRE(store.write([limit](Connection& c) { return c.execute(limit.c_str()); }).has_value());
  const auto too_big = [](Connection& connection) -> Result<void> {
    if (auto added = add_number(1)(connection); !added) return added;
    return connection.execute("INSERT INTO big VALUES (zeroblob(1000000))");
  };
  const auto full = store.write(too_big);
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().code == Code::insufficient_storage);
  CHECK_FALSE(full.error().action.empty());
  CHECK(store.count() == 0);
  CHECK(store.number("SELECT count(*) FROM big") == 0);
  CHECK(store.write(add_number(2)).has_value());
  REQUIRE(store.execute("PRAGMA max_page_count = 1000000").has_value());
  CHECK(store.write(too_big).has_value());
  CHECK(store.count() == 2);
}

TEST_CASE("writes beyond 4096 that wait are refused, the others all get their answer") {
  constexpr int kRoom = 4096;
  Numbers store;
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  for (int i = 0; i < kRoom + 2; ++i) tasks.start(store.database().write(add_number(i)));
  tasks.start(store.database().check());
  gate.open();
  const auto results = tasks.finish();
  for (std::size_t i = 1; i <= kRoom; ++i) REQUIRE(results[i].has_value());
  for (std::size_t i = kRoom + 1; i <= kRoom + 3; ++i) {
    REQUIRE_FALSE(results[i].has_value());
    CHECK(results[i].error().code == Code::unavailable);
  }
  CHECK(store.count() == kRoom);
  CHECK(store.write(add_number(kRoom)).has_value());
}

TEST_CASE("closing the database writes what is queued and answers everyone") {
  constexpr std::size_t kWrites = 100;
  Numbers store;
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  for (std::size_t i = 0; i < kWrites; ++i)
    tasks.start(store.database().write(add_number(static_cast<std::int64_t>(i))));
  std::thread opener([&gate] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that the writer is asked to stop first
    gate.open();
  });
  store.close();
  opener.join();
  CHECK(store.loop().live_tasks() == kWrites + 1);
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
  store.open();
  CHECK(store.count() == kWrites);
}

TEST_CASE("closing leaves one file that holds all, and no log") {
  Numbers store;
  REQUIRE(store.write(add_number(1)).has_value());
  store.close();
  CHECK_FALSE(std::filesystem::exists(store.file("leger.db-wal")));
  CHECK_FALSE(std::filesystem::exists(store.file("leger.db-shm")));
}

TEST_CASE("what a job captured is destroyed on the loop's thread") {
  struct Captured {
    explicit Captured(std::thread::id& where) : where_(where) {}
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() { where_ = std::this_thread::get_id(); }
    std::thread::id& where_;
  };
  Numbers store;
  for (int i = 0; i < 500; ++i) {
    std::thread::id destroyed;
    auto work = [captured = std::make_shared<Captured>(destroyed)](Connection&) -> Result<void> { return {}; };
    REQUIRE(store.run(store.database().write(std::move(work))).has_value());
    REQUIRE(destroyed == std::this_thread::get_id());
  }
}

TEST_CASE("reads on the loop see a write as soon as it was answered, and go on while the writer is busy") {
  Numbers store;
  REQUIRE(store.write(add_number(1)).has_value());
  CHECK(store.count() == 1);
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  CHECK(store.count() == 1);
  gate.open();
  tasks.finish();
}

TEST_CASE("a database that another program holds is unavailable, not lost") {
  Numbers store;
  // The writer's own patience is 5 s, more than a test should take.
  REQUIRE(store.execute("PRAGMA busy_timeout = 50").has_value());
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(store.file("leger.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto held = store.write(add_number(1));
  sqlite3_close(other);
  REQUIRE_FALSE(held.has_value());
  CHECK(held.error().code == Code::unavailable);
  CHECK(store.write(add_number(1)).has_value());
}
