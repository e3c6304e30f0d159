#include "backend/base/offload.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
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

TEST_CASE("offloaded work runs on another thread and gives its value on the loop's") {
  Fixture f;
  const auto here = std::this_thread::get_id();
  const auto there = run(f.loop, offload(f.loop, [] { return std::this_thread::get_id(); }));
  CHECK(there != here);
}

TEST_CASE("a value that can only be moved comes back") {
  Fixture f;
  const auto value = run(f.loop, offload(f.loop, [] { return std::make_unique<int>(3); }));
  REQUIRE(value);
  CHECK(*value == 3);
}

TEST_CASE("work that can only be moved is taken") {
  Fixture f;
  auto given = std::make_unique<int>(4);
  CHECK(run(f.loop, offload(f.loop, [owned = std::move(given)] { return *owned + 1; })) == 5);
}

Task<std::string> caught(Loop& loop) {
  try {
    co_await offload(loop, []() -> int { throw std::runtime_error("from the pool"); });
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "nothing";
}

TEST_CASE("what the work throws is rethrown on the loop") {
  Fixture f;
  CHECK(run(f.loop, caught(f.loop)) == "from the pool");
}

Task<void> one_after_another(Loop& loop, std::vector<int>& order) {
  for (int i = 0; i < 100; ++i) {
    const int value = co_await offload(loop, [i] { return i; });
    order.push_back(value);
  }
}

TEST_CASE("one task's work is done one after another") {
  Fixture f;
  std::vector<int> order;
  f.loop.spawn(one_after_another(f.loop, order), {});
  f.loop.run_until_idle();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

Task<void> add(Loop& loop, int value, int& sum) {
  const int result = co_await offload(loop, [value] { return value; });
  sum += result;
}

TEST_CASE("a thousand at once all come back") {
  Fixture f;
  int sum = 0;
  for (int i = 0; i < 1000; ++i) f.loop.spawn(add(f.loop, i, sum), {});
  f.loop.run_until_idle();
  CHECK(sum == 499'500);
}

Task<void> slow(Loop& loop, bool& done) {
  done = co_await offload(loop, [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return true;
  });
}

Task<void> count_turns(Loop& loop, const bool& done, int& turns) {
  while (!done) {
    co_await sleep_for(loop, 1);
    ++turns;
  }
}

TEST_CASE("the loop goes on while the pool works") {
  Fixture f;
  bool done = false;
  int turns = 0;
  f.loop.spawn(slow(f.loop, done), {});
  f.loop.spawn(count_turns(f.loop, done, turns), {});
  f.loop.run_until_idle();
  CHECK(turns >= 10);
}

}  // namespace
}  // namespace leger
