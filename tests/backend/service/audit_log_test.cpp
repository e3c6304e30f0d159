#include "backend/service/audit_log.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/backend/service/audit.h"
#include "tests/backend/service/store.h"

namespace leger {
namespace {

using test::at_socket;
using test::run;
using test::TemporaryFolder;

constexpr std::uint64_t kFold = 50;
constexpr std::uint64_t kMinute = 60'000;
constexpr std::uint64_t kDay = 86'400'000;

class Fixture {
 public:
  explicit Fixture(std::uint32_t keep_days = 0)
      : store(folder_.path()), sessions_(*store.database), clock(store.loop, sessions_), rows(*store.database) {
    REQUIRE(clock.load());
    log.emplace(store.loop, quiet_, rows, clock, keep_days);
  }

  AuditRecord refusal(const std::string& source, std::string outcome = "invalid_token") const {
    AuditRecord record = log->record({{}, source, {}}, "request", "/api/secrets");
    record.outcome = std::move(outcome);
    return record;
  }
  void refuse(int times, const std::string& source, const std::string& outcome = "invalid_token") {
    for (int i = 0; i < times; ++i) log->refused(refusal(source, outcome));
    store.loop.run_until_idle();
  }
  void pass(std::uint64_t milliseconds) {
    store.clock.advance(milliseconds);
    store.loop.timers().run_due();
    store.loop.run_until_idle();
  }
  // `source outcome ×count` of each row, the oldest first.
  std::vector<std::string> lines() {
    std::vector<std::string> found;
    const auto page =
        run(store.loop, log->list({.actor = {}, .object = {}, .action = {}, .before = 0, .limit = 10'000}));
    REQUIRE(page);
    for (const AuditEntry& entry : page->entries) {
      const AuditRecord& record = entry.record;
      found.insert(found.begin(), record.source + " " + record.outcome + " ×" + std::to_string(record.count));
    }
    return found;
  }
  const Log& quiet() const { return quiet_; }
  bool write(const std::string& action) {
    return run(store.loop, log->write(log->record(at_socket(store.user), action, "x"))).has_value();
  }

 private:
  TemporaryFolder folder_;

 public:
  test::Store store;

 private:
  SqliteSessions sessions_;
  Log quiet_{LogLevel::error};

 public:
  SessionClock clock;
  AuditStore rows;
  std::optional<AuditLog> log;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("Refusals of one source and code are one row a minute with a count, the first of them at once") {
  Fixture fixture;
  fixture.refuse(1, "100.64.0.7");
  CHECK(fixture.lines() == Lines{"100.64.0.7 invalid_token ×1"});
  fixture.refuse(500, "100.64.0.7");
  fixture.refuse(2, "100.64.0.8");
  fixture.refuse(1, "100.64.0.7", "forbidden_origin");
  CHECK(fixture.lines().size() == 3);
  fixture.pass(kMinute);
  CHECK(fixture.lines() == Lines{"100.64.0.7 invalid_token ×1", "100.64.0.8 invalid_token ×1",
                                 "100.64.0.7 forbidden_origin ×1", "100.64.0.7 invalid_token ×500",
                                 "100.64.0.8 invalid_token ×1"});
  // It goes on: still a row a minute.
  fixture.refuse(30, "100.64.0.7");
  CHECK(fixture.lines().size() == 5);
  fixture.pass(kMinute);
  CHECK(fixture.lines().back() == "100.64.0.7 invalid_token ×30");
  // Silence for a minute ends it.
  fixture.pass(kMinute);
  CHECK(fixture.lines().size() == 6);
  fixture.refuse(1, "100.64.0.7");
  CHECK(fixture.lines().size() == 7);
}

TEST_CASE("A flood of sources is counted together once there are too many of them") {
  Fixture fixture;
  for (int i = 0; i < 3000; ++i) fixture.log->refused(fixture.refusal("source " + std::to_string(i)));
  fixture.store.loop.run_until_idle();
  fixture.pass(kMinute);
  const Lines lines = fixture.lines();
  CHECK(lines.size() == 1026);
  CHECK(lines.back() == "others invalid_token ×1975");
}

TEST_CASE("What was being counted is written at the stop, and nothing afterwards") {
  Fixture fixture;
  fixture.refuse(4, "100.64.0.7");
  run(fixture.store.loop, [](AuditLog& log) -> Task<Result<void>> {
    co_await log.stop();
    co_return Result<void>();
  }(*fixture.log));
  CHECK(fixture.lines() == Lines{"100.64.0.7 invalid_token ×1", "100.64.0.7 invalid_token ×3"});
  fixture.refuse(1, "100.64.0.9");
  CHECK(fixture.lines().size() == 2);
}

TEST_CASE("While rows cannot be written one is tried every ten seconds, and it says when that was over") {
  Fixture fixture;
  fixture.store.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END");
  // With the kernel, in the journal; that the chain does not take it shows 50 ms later.
  CHECK(fixture.write("secret.read"));
  CHECK_FALSE(fixture.log->is_failing());
  fixture.pass(kFold);
  CHECK(fixture.log->is_failing());
  CHECK_FALSE(fixture.write("secret.read"));
  fixture.pass(10'000);
  CHECK(fixture.log->is_failing());
  CHECK_FALSE(fixture.write("secret.read"));
  fixture.store.execute("DROP TRIGGER broken");
  fixture.pass(10'000);
  CHECK_FALSE(fixture.log->is_failing());
  const auto page = run(fixture.store.loop, fixture.log->list({}));
  REQUIRE(page);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries.back().record.action == "secret.read");
  CHECK(page->entries.front().record.action == "audit.resumed");
  fixture.pass(kMinute);
  CHECK(fixture.lines().size() == 2);
}

TEST_CASE("A write goes on by itself as soon as rows can be written again") {
  Fixture fixture;
  fixture.store.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken'); END");
  CHECK(fixture.write("first"));
  CHECK_FALSE(run(fixture.store.loop, fixture.log->flush()));
  CHECK_FALSE(fixture.write("refused"));
  fixture.store.execute("DROP TRIGGER broken");
  CHECK(fixture.write("second"));
  CHECK_FALSE(fixture.log->is_failing());
  const auto page = run(fixture.store.loop, fixture.log->list({}));
  REQUIRE(page);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries.front().record.action == "second");
  CHECK(page->entries.back().record.action == "first");
}

TEST_CASE("What is on record is in the chain 50 ms later, without being asked") {
  Fixture fixture;
  CHECK(fixture.write("first"));
  CHECK(fixture.write("second"));
  CHECK(fixture.store.number("SELECT count(*) FROM audit") == 0);
  fixture.pass(kFold);
  CHECK(fixture.store.number("SELECT count(*) FROM audit") == 2);
  CHECK(fixture.write("third"));
  fixture.pass(kFold);
  CHECK(fixture.store.number("SELECT count(*) FROM audit") == 3);
}

TEST_CASE("A stop leaves nothing in the journal, and the next start nothing that was left there") {
  Fixture fixture;
  CHECK(fixture.write("before"));
  run(fixture.store.loop, [](AuditLog& log) -> Task<Result<void>> {
    co_await log.stop();
    co_return Result<void>();
  }(*fixture.log));
  CHECK(fixture.store.number("SELECT count(*) FROM audit") == 1);
  CHECK(fixture.write("left"));
  fixture.log.emplace(fixture.store.loop, fixture.quiet(), fixture.rows, fixture.clock, 0);
  run(fixture.store.loop, [](AuditLog& log) -> Task<Result<void>> {
    co_await log.run();
    co_return Result<void>();
  }(*fixture.log));
  CHECK(fixture.store.number("SELECT count(*) FROM audit") == 2);
}

TEST_CASE("Rows of many that wait at once are all written, in order") {
  Fixture fixture;
  int written = 0;
  for (int i = 0; i < 100; ++i) {
    fixture.store.loop.spawn(
        [](AuditLog& log, int number, int& count) -> Task<void> {
          const auto done = co_await log.write(log.record(at_socket("a"), "secret.read", std::to_string(number)));
          if (done) ++count;
        }(*fixture.log, i, written),
        [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  }
  fixture.store.loop.run_until_idle();
  CHECK(written == 100);
  const auto page =
      run(fixture.store.loop, fixture.log->list({.actor = {}, .object = {}, .action = {}, .before = 0, .limit = 1000}));
  REQUIRE(page);
  REQUIRE(page->entries.size() == 100);
  CHECK(page->entries.front().record.object == "99");
  CHECK(page->entries.back().record.object == "0");
}

TEST_CASE("Rows are kept for so many days, whole days, and the chain holds without the older ones") {
  Fixture fixture(2);
  for (int day = 0; day < 5; ++day) {
    REQUIRE(fixture.write("day " + std::to_string(day)));
    fixture.store.clock.advance(kDay);
  }
  REQUIRE(run(fixture.store.loop, fixture.clock.save()));
  // run() goes on until it is told to stop: for one round.
  fixture.store.loop.spawn(fixture.log->run(), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  run(fixture.store.loop, [](Fixture& owner) -> Task<Result<void>> {
    const auto settled = co_await owner.log->flush();
    [[maybe_unused]] const auto dropped = co_await owner.store.database->check();
    co_await owner.log->stop();
    co_return settled;
  }(fixture));
  const auto page = run(fixture.store.loop, fixture.log->list({}));
  REQUIRE(page);
  REQUIRE(page->entries.size() == 2);
  CHECK(page->entries.front().record.action == "day 4");
  const auto verdict = run(fixture.store.loop, fixture.log->verify());
  REQUIRE(verdict);
  CHECK(verdict->entries == 2);
  CHECK_FALSE(verdict->first_bad);
}

TEST_CASE("A wall clock that jumps ahead drops nothing of the audit") {
  Fixture fixture(2);
  REQUIRE(fixture.write("today"));
  fixture.store.clock.set_wall(fixture.store.clock.wall_seconds() + 365 * 86'400);
  REQUIRE(run(fixture.store.loop, fixture.clock.save()));
  fixture.store.loop.spawn(fixture.log->run(), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  run(fixture.store.loop, [](Fixture& owner) -> Task<Result<void>> {
    const auto settled = co_await owner.log->flush();
    [[maybe_unused]] const auto dropped = co_await owner.store.database->check();
    co_await owner.log->stop();
    co_return settled;
  }(fixture));
  CHECK(fixture.lines().size() == 1);
}

}  // namespace leger
