#include "backend/base/loop.h"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support.h"

namespace leger {
namespace {

using test::run;

struct Fixture {
  SystemClock clock;
  Loop loop{clock};
};

Task<void> fails(Loop& loop, bool after_a_wait) {
  if (after_a_wait) co_await sleep_for(loop, 0);
  throw std::runtime_error("it failed");
}

TEST_CASE("a failure of a spawned task reaches its handler, at once or later") {
  for (const bool after_a_wait : {false, true}) {
    Fixture f;
    std::string what;
    f.loop.spawn(fails(f.loop, after_a_wait), [&what](std::exception_ptr problem) {
      try {
        std::rethrow_exception(problem);
      } catch (const std::runtime_error& error) {
        what = error.what();
      }
    });
    f.loop.run_until_idle();
    CHECK(what == "it failed");
    CHECK(f.loop.live_tasks() == 0);
  }
}

Task<void> note(std::vector<int>& order, int number, Loop& loop) {
  order.push_back(number);
  co_await sleep_for(loop, 0);
  order.push_back(number + 10);
}

TEST_CASE("a spawned task runs at once up to its first wait") {
  Fixture f;
  std::vector<int> order;
  f.loop.spawn(note(order, 1, f.loop), {});
  f.loop.spawn(note(order, 2, f.loop), {});
  CHECK(order == std::vector<int>{1, 2});
  CHECK(f.loop.live_tasks() == 2);
  f.loop.run_until_idle();
  CHECK(order == std::vector<int>{1, 2, 11, 12});
}

TEST_CASE("run_until_idle returns at once where nothing was spawned") {
  Fixture f;
  f.loop.run_until_idle();
  CHECK(f.loop.live_tasks() == 0);
}

TEST_CASE("run_until_idle waits for tasks even where a stop was asked for before") {
  Fixture f;
  std::vector<int> order;
  f.loop.spawn(note(order, 1, f.loop), {});
  f.loop.stop();
  f.loop.run_until_idle();
  CHECK(order == std::vector<int>{1, 11});
}

TEST_CASE("a stop that nobody ran into does not keep the loop from closing") {
  Fixture f;
  f.loop.stop();
}

Task<void> wait_and_note(OneShot<bool> gate, std::vector<int>& order, int number) {
  co_await gate;
  order.push_back(number);
}

TEST_CASE("waiters resume in the order in which they were released, not from within set") {
  Fixture f;
  std::vector<int> order;
  const OneShot<bool> first(f.loop);
  const OneShot<bool> second(f.loop);
  f.loop.spawn(wait_and_note(first, order, 1), {});
  f.loop.spawn(wait_and_note(second, order, 2), {});
  second.set(true);
  first.set(true);
  CHECK(order.empty());
  f.loop.run_until_idle();
  CHECK(order == std::vector<int>{2, 1});
}

TEST_CASE("the first value that is set wins") {
  Fixture f;
  const OneShot<int> value(f.loop);
  CHECK(!value.is_set());
  CHECK(value.set(1));
  CHECK(!value.set(2));
  CHECK(value.is_set());
  CHECK(value.await_ready());
  CHECK(value.await_resume() == 1);
}

Task<int> take(OneShot<int> from) {
  const int value = co_await from;
  co_return value;
}

TEST_CASE("a value that was set before it is awaited is there at once") {
  Fixture f;
  const OneShot<int> value(f.loop);
  value.set(5);
  CHECK(run(f.loop, take(value)) == 5);
}

TEST_CASE("work posted by many threads all runs, each thread's in its order") {
  Fixture f;
  constexpr int kThreads = 8;
  constexpr int kEach = 2000;
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        f.loop.post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (++total == kThreads * kEach) f.loop.stop();
        });
      }
    });
  }
  f.loop.run();
  for (auto& thread : threads) thread.join();
  CHECK(total == kThreads * kEach);
  for (const auto& numbers : seen) {
    for (int i = 0; i < kEach; ++i) REQUIRE(numbers[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("posted work may post more") {
  Fixture f;
  int depth = 0;
  std::function<void()> again = [&] {
    if (++depth == 100) return f.loop.stop();
    f.loop.post(again);
  };
  f.loop.post(again);
  f.loop.run();
  CHECK(depth == 100);
}

Task<void> wait_for_posted(Loop& loop, std::vector<std::string>& order) {
  const OneShot<bool> arrived(loop);
  loop.post([&order, arrived] {
    order.emplace_back("posted");
    arrived.set(true);
  });
  co_await arrived;
  order.emplace_back("task");
}

TEST_CASE("shutdown: what was posted and spawned before stop is done by run_until_idle after it") {
  Fixture f;
  std::vector<std::string> order;
  f.loop.post([&] {
    f.loop.spawn(wait_for_posted(f.loop, order), {});
    f.loop.stop();
    order.emplace_back("stopped");
  });
  f.loop.run();
  CHECK(order == std::vector<std::string>{"stopped"});
  f.loop.run_until_idle();
  CHECK(order == std::vector<std::string>{"stopped", "posted", "task"});
}

TEST_CASE("the loop runs again after a stop") {
  Fixture f;
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    f.loop.post([&] {
      ++runs;
      f.loop.stop();
    });
    f.loop.run();
  }
  CHECK(runs == 3);
}

}  // namespace
}  // namespace leger
