#include "backend/base/timers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backend/base/loop.h"
#include "tests/support.h"

namespace leger {
namespace {

struct Fixture {
  test::FakeClock clock;
  Loop loop{clock};

  void pass(std::uint64_t milliseconds) {
    clock.advance(milliseconds);
    loop.timers().run_due();
  }
};

TEST_CASE("a timer is due at its time, not before, and once") {
  Fixture f;
  int fired = 0;
  Timer timer(f.loop.timers(), [&fired] { ++fired; });
  timer.set_in(100);
  f.pass(99);
  CHECK(fired == 0);
  f.pass(1);
  CHECK(fired == 1);
  f.pass(1000);
  CHECK(fired == 1);
}

TEST_CASE("a timer pushed forward is due at its last time only") {
  Fixture f;
  int fired = 0;
  Timer timer(f.loop.timers(), [&fired] { ++fired; });
  for (int i = 0; i < 10; ++i) {
    timer.set_in(100);
    f.pass(50);
  }
  CHECK(fired == 0);
  f.pass(49);
  CHECK(fired == 0);
  f.pass(1);
  CHECK(fired == 1);
}

TEST_CASE("a timer pulled back is due at the earlier time") {
  Fixture f;
  int fired = 0;
  Timer timer(f.loop.timers(), [&fired] { ++fired; });
  timer.set_in(1000);
  timer.set_in(10);
  f.pass(10);
  CHECK(fired == 1);
  f.pass(990);
  CHECK(fired == 1);
}

TEST_CASE("a cleared timer is not due; it can be set again") {
  Fixture f;
  int fired = 0;
  Timer timer(f.loop.timers(), [&fired] { ++fired; });
  timer.set_in(10);
  timer.clear();
  f.pass(20);
  CHECK(fired == 0);
  timer.set_in(10);
  timer.clear();
  timer.set_in(30);
  f.pass(10);
  CHECK(fired == 0);
  f.pass(20);
  CHECK(fired == 1);
}

TEST_CASE("timers are due in the order of their times, equal ones as they were set") {
  Fixture f;
  std::vector<int> order;
  Timer late(f.loop.timers(), [&order] { order.push_back(3); });
  Timer first(f.loop.timers(), [&order] { order.push_back(1); });
  Timer second(f.loop.timers(), [&order] { order.push_back(2); });
  late.set_in(20);
  first.set_in(10);
  second.set_in(10);
  f.pass(30);
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("a timer set from within its own callback") {
  Fixture f;
  int fired = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(f.loop.timers(), [&] {
    if (++fired < 3) timer->set_in(10);
  });
  timer->set_in(10);
  f.pass(10);
  CHECK(fired == 1);
  f.pass(9);
  CHECK(fired == 1);
  f.pass(1);
  CHECK(fired == 2);
  f.pass(10);
  CHECK(fired == 3);
}

TEST_CASE("a timer that sets itself to now lets the loop's others have their turn") {
  Fixture f;
  int fired = 0;
  int fired_before_post = 0;
  std::unique_ptr<Timer> timer;
  timer = std::make_unique<Timer>(f.loop.timers(), [&] {
    if (++fired == 50) return f.loop.stop();
    timer->set_in(0);
  });
  timer->set_in(0);
  f.loop.timers().run_due();
  CHECK(fired == 1);
  f.loop.post([&] { fired_before_post = fired; });
  f.loop.run();
  CHECK(fired == 50);
  CHECK(fired_before_post < 5);
}

TEST_CASE("a timer destroyed within its own callback, or in another's") {
  Fixture f;
  std::vector<int> order;
  std::unique_ptr<Timer> self;
  std::unique_ptr<Timer> other;
  self = std::make_unique<Timer>(f.loop.timers(), [&] {
    order.push_back(1);
    other.reset();
    self.reset();
    order.push_back(2);
  });
  other = std::make_unique<Timer>(f.loop.timers(), [&order] { order.push_back(3); });
  self->set_in(10);
  other->set_in(10);
  f.pass(10);
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("a destroyed timer is forgotten") {
  Fixture f;
  int fired = 0;
  {
    Timer timer(f.loop.timers(), [&fired] { ++fired; });
    timer.set_in(10);
  }
  f.pass(10);
  CHECK(fired == 0);
}

TEST_CASE("a time beyond the clock's end never comes") {
  Fixture f;
  int fired = 0;
  f.pass(10);
  Timer timer(f.loop.timers(), [&fired] { ++fired; });
  timer.set_in(UINT64_MAX);
  f.pass(1'000'000);
  CHECK(fired == 0);
}

TEST_CASE("ten thousand timers, each moved often, are all due exactly once and in order") {
  Fixture f;
  constexpr std::uint64_t kCount = 10'000;
  std::vector<std::uint64_t> order;
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    timers.push_back(std::make_unique<Timer>(f.loop.timers(), [&order, i] { order.push_back(i); }));
    timers.back()->set_in(1);
    timers.back()->set_in(20'000);
    timers.back()->set_in(100 + i * 7919 % kCount);
  }
  for (int i = 0; i < 110; ++i) f.pass(100);
  REQUIRE(order.size() == kCount);
  const auto due = [](std::uint64_t i) { return i * 7919 % kCount; };
  CHECK(std::ranges::is_sorted(order, {}, due));
}

TEST_CASE("on the real clock the loop runs timers by itself") {
  const SystemClock clock;
  Loop loop(clock);
  const std::uint64_t began = clock.monotonic_ms();
  int fired = 0;
  Timer late(loop.timers(), [&] {
    ++fired;
    loop.stop();
  });
  Timer early(loop.timers(), [&fired] { ++fired; });
  late.set_in(30);
  early.set_in(5);
  loop.run();
  CHECK(fired == 2);
  CHECK(clock.monotonic_ms() - began >= 30);
}

Task<void> sleep_and_count(Loop& loop, std::uint64_t milliseconds, int& done) {
  co_await sleep_for(loop, milliseconds);
  ++done;
}

TEST_CASE("sleep_for waits on the loop's clock") {
  Fixture f;
  int done = 0;
  f.loop.spawn(sleep_and_count(f.loop, 60'000, done), {});
  f.pass(59'999);
  uv_run(f.loop.uv(), UV_RUN_NOWAIT);
  CHECK(done == 0);
  f.pass(1);
  f.loop.run_until_idle();
  CHECK(done == 1);
}

}  // namespace
}  // namespace leger
