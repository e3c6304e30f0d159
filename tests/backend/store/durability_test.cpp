// When what is written is on disk: the syncs of the write-ahead log, counted and ordered.

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "tests/backend/store/fixture.h"
#include "tests/backend/store/sync_watch.h"

using namespace leger;
using namespace leger::test;

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Durable = Database::Durable;

Database::Work add_number(std::int64_t number) {
  return [number](Connection& connection) {
    return connection.prepare("INSERT INTO numbers VALUES (?1)").bind(1, number).run();
  };
}

struct Numbers {
  Numbers() {
    REQUIRE(store.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT").has_value());
    watch.take();
  }
  Task<Result<void>> writing(Database::Work work, Durable durable) {
    return store.database().write(std::move(work), Database::Trace::may_stay_in_log, durable);
  }
  Result<void> write(std::int64_t number, Durable durable) { return store.run(writing(add_number(number), durable)); }
  std::int64_t count() { return store.number("SELECT count(*) FROM numbers"); }
  // What happened from now until something did, at most for as long as no machine is too slow.
  std::string next_events() {
    for (int i = 0; i < 10'000; ++i) {
      if (std::string events = watch.take(); !events.empty()) return events;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return {};
  }
  std::string events_within(milliseconds time) {
    std::this_thread::sleep_for(time);
    return watch.take();
  }
  // Writes one number soon, in less time than the writer waits before it syncs by itself; the next number that is free.
  std::int64_t write_quickly(std::int64_t number) {
    while (true) {
      const auto start = steady_clock::now();
      REQUIRE(write(number++, Durable::soon).has_value());
      const std::string events = watch.take();
      if (steady_clock::now() - start < milliseconds(40)) {
        CHECK(events.empty());
        return number;
      }
      next_events();  // a machine so slow that it may have been synced meanwhile
    }
  }

  SyncWatch watch;
  Store store;
};

Task<Result<void>> write_and_tell(Database& database, Database::Work work, std::promise<void>& written) {
  auto result = co_await database.write(std::move(work));
  written.set_value();
  co_return result;
}

}  // namespace

TEST_CASE("a write that is wanted now is synced before its answer, each by itself") {
  Numbers numbers;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(numbers.write(i, Durable::now).has_value());
    CHECK(numbers.watch.take() == "L");
  }
  CHECK(numbers.events_within(milliseconds(150)).empty());
}

TEST_CASE("a write that is wanted soon is answered before any sync, and is synced once within 100 ms") {
  Numbers numbers;
  numbers.write_quickly(0);
  const auto answered = steady_clock::now();
  CHECK(numbers.next_events() == "L");
  // A bound for any machine; the writer itself waits for half of the promise.
  CHECK(steady_clock::now() - answered < std::chrono::seconds(5));
  CHECK(numbers.events_within(milliseconds(150)).empty());
}

TEST_CASE("what is written soon, without a pause, is synced by time, not by write") {
  Numbers numbers;
  // A checkpoint syncs too.
  REQUIRE(numbers.store.execute("PRAGMA wal_autocheckpoint = 0").has_value());
  const auto start = steady_clock::now();
  std::int64_t written = 0;
  while (steady_clock::now() - start < milliseconds(400)) {
    REQUIRE(numbers.write(written++, Durable::soon).has_value());
  }
  const std::string events = numbers.watch.take();
  const auto most = (steady_clock::now() - start) / milliseconds(50);
  CHECK(std::ranges::count(events, 'L') >= 1);
  CHECK(std::ranges::count(events, 'L') <= most);
  CHECK(written > 2 * most);
}

TEST_CASE("a queue that is never empty is no reason not to sync in time") {
  constexpr std::size_t kHeld = 10;
  Numbers numbers;
  Several<Result<void>> tasks(numbers.store.loop());
  std::array<Gate, kHeld> gates;
  for (std::size_t i = 0; i < kHeld; ++i) {
    gates.at(i).queue(tasks, numbers.store.database(), Durable::soon);
    tasks.start(numbers.writing(add_number(static_cast<std::int64_t>(i)), Durable::soon));
    if (i > 0) gates.at(i - 1).open();
    gates.at(i).await_entry();
    std::this_thread::sleep_for(milliseconds(20));
  }
  CHECK(numbers.watch.take().contains('L'));
  gates.back().open();
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
}

TEST_CASE("one write that is wanted now makes its whole batch so, and what was written soon before it") {
  Numbers numbers;
  const std::int64_t next = numbers.write_quickly(0);
  Several<Result<void>> tasks(numbers.store.loop());
  Gate gate;
  gate.enter(tasks, numbers.store.database());
  tasks.start(numbers.writing(add_number(next), Durable::soon));
  tasks.start(numbers.writing(add_number(next + 1), Durable::now));
  tasks.start(numbers.writing(
      [&numbers](Connection&) -> Result<void> {
        numbers.watch.note('w');
        return {};
      },
      Durable::soon));
  gate.open();
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
  // Before: the gate, which is wanted now as well, takes the write before it along.
  const std::string events = numbers.watch.take();
  CHECK(events.ends_with("wL"));
  CHECK(std::ranges::count(events, 'L') == 2);
  CHECK(numbers.events_within(milliseconds(150)).empty());
}

TEST_CASE("a write that is wanted now and changes nothing syncs what was written soon before it") {
  Numbers numbers;
  numbers.write_quickly(0);
  REQUIRE(numbers.store.run(numbers.store.database().check()).has_value());
  CHECK(numbers.watch.take() == "L");
  // Nothing is owed now, so that another one needs no sync.
  REQUIRE(numbers.store.run(numbers.store.database().check()).has_value());
  CHECK(numbers.events_within(milliseconds(150)).empty());
}

TEST_CASE("after a sync that failed nothing is answered without one, until one succeeds") {
  Numbers numbers;
  numbers.watch.set(SyncWatch::LogSyncs::fail);
  REQUIRE(numbers.write(1, Durable::soon).has_value());
  CHECK(numbers.next_events().starts_with("-"));
  const auto refused = numbers.write(2, Durable::soon);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::unavailable);
  CHECK(numbers.next_events().starts_with("-"));  // tried again without being asked
  CHECK(numbers.count() == 1);
  numbers.watch.set(SyncWatch::LogSyncs::work);
  CHECK(numbers.write(3, Durable::soon).has_value());
  CHECK(numbers.watch.take().contains('L'));
  numbers.write_quickly(4);
  CHECK(numbers.next_events() == "L");
}

TEST_CASE("closing syncs what was written soon, though another program keeps the log open") {
  Numbers numbers;
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open_v2(numbers.store.file("leger.db").c_str(), &other, SQLITE_OPEN_READONLY, "unix") == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "SELECT count(*) FROM numbers", nullptr, nullptr, nullptr) == SQLITE_OK);
  numbers.write_quickly(0);
  numbers.store.close();
  CHECK(numbers.watch.take() == "L");
  sqlite3_close(other);
}

TEST_CASE("a long read has a connection and a state of the store of its own") {
  Numbers numbers;
  REQUIRE(numbers.write(1, Durable::now).has_value());
  Database& database = numbers.store.database();
  const auto count = [](Connection& connection) {
    Statement statement = connection.prepare("SELECT count(*) FROM numbers");
    return statement.step().value() ? statement.integer(0) : -1;
  };
  std::promise<void> looked;
  std::promise<void> written;
  auto before = std::make_shared<std::int64_t>(0);
  auto after = std::make_shared<std::int64_t>(0);
  Several<Result<void>> tasks(numbers.store.loop());
  tasks.start(database.read_apart([&, before, after](Connection& connection) -> Result<void> {
    *before = count(connection);
    looked.set_value();
    written.get_future().wait();
    *after = count(connection);
    return {};
  }));
  looked.get_future().wait();
  tasks.start(write_and_tell(database, add_number(2), written));
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
  CHECK(numbers.count() == 2);
  CHECK(*before == 1);
  CHECK(*after == 1);
}

TEST_CASE("a long read cannot write, and its error is the caller's") {
  Numbers numbers;
  Database& database = numbers.store.database();
  CHECK_FALSE(numbers.store.run(database.read_apart(add_number(1))).has_value());
  const auto refused = numbers.store.run(
      database.read_apart([](Connection&) -> Result<void> { return Fail({Code::conflict, "its own", {}, {}}); }));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message == "its own");
  CHECK(numbers.count() == 0);
}
