// When what is written is on disk: the syncs of the write-ahead log, counted and ordered.

#include "tests/backend/store/fixture.h"
#include "tests/backend/store/sync_watch.h"

using namespace leger;
using namespace leger::test;

namespace {

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
  Result<void> write(std::int64_t number) { return store.run(store.database().write(add_number(number))); }
  std::int64_t count() { return store.number("SELECT count(*) FROM numbers"); }
  SyncWatch watch;
  Store store;
};

// Writes that wait behind another: a `w` is noted when one is done.
void write_together(Numbers& numbers, int count) {
  Several<Result<void>> tasks(numbers.store.loop());
  Gate gate;
  gate.enter(tasks, numbers.store.database());
  for (int i = 0; i < count; ++i) {
    tasks.start(numbers.store.database().write([&numbers, i](Connection& connection) {
      numbers.watch.note('w');
      return add_number(i)(connection);
    }));
  }
  numbers.watch.take();
  gate.open();
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
}

Task<Result<void>> write_and_tell(Database& database, Database::Work work, std::promise<void>& written) {
  auto result = co_await database.write(std::move(work));
  written.set_value();
  co_return result;
}

}  // namespace

TEST_CASE("a write is synced before its answer, each by itself") {
  Numbers numbers;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(numbers.write(i).has_value());
    CHECK(numbers.watch.take() == "L");
  }
}

TEST_CASE("what waits together is synced together, before any of it is answered") {
  constexpr int kTogether = 5;
  Numbers numbers;
  write_together(numbers, kTogether);
  CHECK(numbers.watch.take().ends_with("wwwwwL"));
}

TEST_CASE("of many that wait 64 are synced together, in their order, since their pages wait in memory") {
  constexpr int kWaiting = 150;
  Numbers numbers;
  write_together(numbers, kWaiting);
  const std::string full(64, 'w');
  CHECK(numbers.watch.take() == full + "L" + full + "L" + std::string(kWaiting - 128, 'w') + "L");
  CHECK(numbers.count() == kWaiting);
}

TEST_CASE("a write whose sync fails is an error, and the next one tries anew") {
  Numbers numbers;
  numbers.watch.set(SyncWatch::LogSyncs::fail);
  const auto refused = numbers.write(1);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::unavailable);
  CHECK(numbers.watch.take().starts_with("-"));
  CHECK(numbers.count() == 0);
  numbers.watch.set(SyncWatch::LogSyncs::work);
  CHECK(numbers.write(2).has_value());
  CHECK(numbers.watch.take().contains('L'));
  CHECK(numbers.count() == 1);
}

TEST_CASE("a long read has a connection and a state of the store of its own") {
  Numbers numbers;
  REQUIRE(numbers.write(1).has_value());
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
