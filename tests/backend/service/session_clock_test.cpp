#include "backend/service/session_clock.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "tests/backend/service/store.h"

namespace leger {
namespace {

using test::run;
using test::Store;
using test::TemporaryFolder;

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kYear = 365 * 24 * kHour;
constexpr std::uint64_t kMinuteMs = 60'000;

// A daemon's clock over its database; a new one is a restart.
class Running {
 public:
  // `wall`: where the wall clock stands at this start; 0 leaves it.
  explicit Running(const std::string& folder, std::int64_t wall = 0) : store(folder), rows(*store.database) {
    if (wall != 0) store.clock.set_wall(wall);
    clock = std::make_unique<SessionClock>(store.loop, rows);
    REQUIRE(clock->load());
  }
  std::int64_t wall() const { return store.clock.wall_seconds(); }
  std::int64_t now() const { return clock->now(); }
  std::int64_t saved() { return rows.time_mark().value(); }
  void save() { REQUIRE(run(store.loop, clock->save())); }
  void jump(std::int64_t seconds) { store.clock.set_wall(wall() + seconds); }
  void pass(std::int64_t seconds) { store.clock.advance(static_cast<std::uint64_t>(seconds) * 1000); }

  Store store;
  SqliteSessions rows;
  std::unique_ptr<SessionClock> clock;
};

// Takes marks without a database, at once.
class RecordedMarks final : public Sessions {
 public:
  Result<std::int64_t> time_mark() override {
    if (fails) return Fail(problem());
    return 0;
  }
  Task<Result<void>> set_time_mark(std::int64_t seconds) override {
    if (fails) co_return Fail(problem());
    saved.push_back(seconds);
    co_return Result<void>();
  }
  Result<std::optional<Session>> find(const std::string& /*id*/) override { return Fail(problem()); }
  Result<std::vector<Session>> list(const std::string& /*user_uuid*/, const std::string& /*now*/) override {
    return Fail(problem());
  }
  Task<Result<void>> add(Session, std::uint32_t, AuditRecord) override { co_return Fail(problem()); }
  Task<Result<bool>> remove(std::string, std::string, AuditRecord) override { co_return Fail(problem()); }

  std::vector<std::int64_t> saved;
  bool fails = false;

 private:
  static Error problem() { return {Code::unavailable, "no database", {}, {}}; }
};

}  // namespace

TEST_CASE("A clock that nobody touches tells the time of the wall, before and after it is saved") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::int64_t start = daemon.wall();
  CHECK(daemon.now() == start);
  CHECK(daemon.saved() == 0);
  for (int minute = 0; minute < 100; ++minute) {
    daemon.save();
    CHECK(daemon.saved() == daemon.wall());
    daemon.pass(60);
    CHECK(daemon.now() == daemon.wall());
  }
  CHECK(daemon.now() == start + 6000);
}

TEST_CASE("A clock that is set back does not bring time back, not even that of the minute since the last save") {
  for (const std::int64_t back : {std::int64_t{1}, std::int64_t{299}, kHour, kYear, 50 * kYear}) {
    CAPTURE(back);
    const TemporaryFolder folder;
    Running daemon(folder.path());
    daemon.save();
    daemon.pass(59);
    const std::int64_t before = daemon.now();
    daemon.jump(-back);
    CHECK(daemon.now() == before);
    // Time goes on meanwhile, so that what ends in this state does end.
    for (int hour = 1; hour <= 48; ++hour) {
      daemon.pass(kHour);
      daemon.save();
      CHECK(daemon.now() == before + hour * kHour);
      CHECK(daemon.saved() == daemon.now());
    }
  }
}

TEST_CASE("Parts of seconds are not lost, however often the mark is saved") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::int64_t start = daemon.now();
  daemon.jump(-kYear);
  for (int i = 0; i < 100; ++i) {
    daemon.store.clock.advance(1999);
    daemon.save();
  }
  CHECK(daemon.now() == start + 199);
}

TEST_CASE("One jump forward ends with the jump: it does not poison the mark") {
  for (const std::int64_t forward : {std::int64_t{301}, kHour, kYear, 100 * kYear}) {
    CAPTURE(forward);
    const TemporaryFolder folder;
    std::int64_t truth = 0;
    {
      Running daemon(folder.path());
      truth = daemon.wall();
      daemon.save();
      daemon.jump(forward);
      CHECK(daemon.now() == truth + forward);
      for (int minute = 0; minute < 60; ++minute) {
        daemon.save();
        daemon.pass(60);
      }
      truth += kHour;
      CHECK(daemon.saved() < truth);
      daemon.jump(-forward);
      CHECK(daemon.now() == truth);
      daemon.save();
      CHECK(daemon.saved() == truth);
    }
    Running again(folder.path(), truth + 5);
    CHECK(again.now() == truth + 5);
  }
}

TEST_CASE("A wall clock that is slowly corrected is followed, up to five minutes") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::int64_t start = daemon.wall();
  daemon.jump(300);
  daemon.save();
  CHECK(daemon.saved() == start + 300);
  daemon.jump(1);
  daemon.save();
  CHECK(daemon.saved() == start + 300);
  CHECK(daemon.now() == start + 301);
  daemon.jump(-301);
  CHECK(daemon.now() == start + 300);
}

TEST_CASE("A sawtooth of an hour forward and back never goes below what has passed, and leaves no trace") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  std::int64_t truth = daemon.wall();
  for (int turn = 0; turn < 200; ++turn) {
    daemon.jump(turn % 2 == 0 ? kHour : -kHour);
    daemon.save();
    CHECK(daemon.now() >= truth);
    CHECK(daemon.saved() <= truth);
    daemon.pass(90);
    truth += 90;
  }
  CHECK(daemon.wall() == truth);
  CHECK(daemon.now() == truth);
  for (int turn = 0; turn < 200; ++turn) {
    daemon.jump(turn % 2 == 0 ? -kHour : kHour);
    daemon.save();
    CHECK(daemon.now() == truth);
    CHECK(daemon.saved() == truth);
    daemon.pass(90);
    truth += 90;
  }
}

TEST_CASE("A restart keeps the mark, where the wall clock was set back in between too") {
  const TemporaryFolder folder;
  std::int64_t before = 0;
  {
    Running daemon(folder.path());
    daemon.pass(3 * kHour);
    daemon.save();
    before = daemon.now();
  }
  {
    Running daemon(folder.path(), before - kYear);
    CHECK(daemon.now() == before);
    daemon.pass(60);
    CHECK(daemon.now() == before + 60);
    daemon.save();
  }
  {
    Running daemon(folder.path(), before - kYear);
    CHECK(daemon.now() == before + 60);
  }
  Running daemon(folder.path(), before + kHour);
  CHECK(daemon.now() == before + kHour);
}

TEST_CASE("The mark is saved at once and then each minute, until stop") {
  test::FakeClock time;
  Loop loop(time);
  RecordedMarks marks;
  SessionClock clock(loop, marks);
  const std::int64_t start = time.wall_seconds();
  REQUIRE(clock.load());
  const auto advance = [&](std::uint64_t milliseconds) {
    time.advance(milliseconds);
    loop.timers().run_due();
    uv_run(loop.uv(), UV_RUN_NOWAIT);
  };
  loop.spawn(clock.run(), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  CHECK(marks.saved == std::vector<std::int64_t>{start});
  advance(kMinuteMs - 1);
  CHECK(marks.saved.size() == 1);
  advance(1);
  CHECK(marks.saved == std::vector<std::int64_t>{start, start + 60});
  SUBCASE("a save that fails is tried again a minute later") {
    marks.fails = true;
    advance(kMinuteMs);
    CHECK(marks.saved.size() == 2);
    marks.fails = false;
    advance(kMinuteMs);
    CHECK(marks.saved.back() == start + 180);
  }
  SUBCASE("a stop ends it without waiting for the minute") {}
  clock.stop();
  loop.run_until_idle();
  CHECK(loop.live_tasks() == 0);
}

TEST_CASE("A clock that was stopped before it ran ends at once") {
  test::FakeClock time;
  Loop loop(time);
  RecordedMarks marks;
  SessionClock clock(loop, marks);
  clock.stop();
  loop.spawn(clock.run(), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  CHECK(loop.live_tasks() == 0);
  CHECK(marks.saved.empty());
}

TEST_CASE("A mark that cannot be read is an error") {
  test::FakeClock time;
  Loop loop(time);
  RecordedMarks marks;
  marks.fails = true;
  SessionClock clock(loop, marks);
  CHECK(clock.load().error().code == Code::unavailable);
}

}  // namespace leger
