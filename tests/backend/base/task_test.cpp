#include "backend/base/task.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "backend/base/loop.h"
#include "tests/support.h"

namespace leger {
namespace {

using test::run;

struct Fixture {
  SystemClock clock;
  Loop loop{clock};
};

// Counts its own destruction, as a parameter of a coroutine.
struct Witness {
  explicit Witness(int& counter) : destroyed(&counter) {}
  Witness(Witness&& other) noexcept : destroyed(std::exchange(other.destroyed, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() {
    if (destroyed != nullptr) ++*destroyed;
  }
  int* destroyed;
};

Task<int> ready(int value) { co_return value; }

Task<int> after_a_turn(Loop& loop, int value) {
  co_await sleep_for(loop, 0);
  co_return value;
}

Task<std::unique_ptr<int>> owned(Loop& loop, std::unique_ptr<int> value) {
  co_await sleep_for(loop, 0);
  co_return value;
}

Task<int> throws_after(Loop& loop, std::string what) {
  co_await sleep_for(loop, 0);
  throw std::runtime_error(what);
}

Task<int> throws_at_once() {
  throw std::logic_error("at once");
  co_return 0;
}

Task<std::string> caught(Loop& loop) {
  std::string all;
  try {
    co_await throws_after(loop, "later");
  } catch (const std::runtime_error& error) {
    all += error.what();
  }
  try {
    co_await throws_at_once();
  } catch (const std::logic_error& error) {
    all += std::string(" and ") + error.what();
  }
  co_return all;
}

TEST_CASE("a task gives its value, ready or after a wait") {
  Fixture f;
  CHECK(run(f.loop, ready(7)) == 7);
  CHECK(run(f.loop, after_a_turn(f.loop, 8)) == 8);
}

TEST_CASE("a value that can only be moved") {
  Fixture f;
  const auto value = run(f.loop, owned(f.loop, std::make_unique<int>(9)));
  REQUIRE(value);
  CHECK(*value == 9);
}

TEST_CASE("an exception reaches whoever awaits") {
  Fixture f;
  CHECK(run(f.loop, caught(f.loop)) == "later and at once");
}

Task<std::uint64_t> sum_of_ready(int count) {
  std::uint64_t sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await ready(i);
    sum += static_cast<std::uint64_t>(value);
  }
  co_return sum;
}

TEST_CASE("a million ready awaits keep the stack flat") {
  Fixture f;
  CHECK(run(f.loop, sum_of_ready(1'000'000)) == 499'999'500'000);
}

Task<int> sum_of_waits(Loop& loop, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int value = co_await after_a_turn(loop, 1);
    sum += value;
  }
  co_return sum;
}

TEST_CASE("many true waits one after another keep the stack flat") {
  Fixture f;
  CHECK(run(f.loop, sum_of_waits(f.loop, 20'000)) == 20'000);
}

Task<int> chain(Loop& loop, int depth) {
  if (depth == 0) {
    co_await sleep_for(loop, 0);
    co_return 0;
  }
  const int below = co_await chain(loop, depth - 1);
  co_return below + 1;
}

TEST_CASE("a chain of a thousand tasks that ends in a true wait") {
  Fixture f;
  CHECK(run(f.loop, chain(f.loop, 1000)) == 1000);
}

Task<void> keeps(Witness) { co_return; }
Task<void> keeps_and_throws(Witness, Loop& loop) {
  co_await sleep_for(loop, 0);
  throw std::runtime_error("x");
}

TEST_CASE("a task that is destroyed before it starts frees its parameters and never runs") {
  int destroyed = 0;
  {
    const auto never_started = keeps(Witness(destroyed));
    CHECK(destroyed == 0);
  }
  CHECK(destroyed == 1);
}

TEST_CASE("a moved-from task is empty, assignment swaps") {
  int destroyed = 0;
  {
    auto first = keeps(Witness(destroyed));
    auto second = std::move(first);
    auto third = keeps(Witness(destroyed));
    third = std::move(second);
    CHECK(destroyed == 0);
  }
  CHECK(destroyed == 2);
}

TEST_CASE("a task that throws frees its parameters once") {
  Fixture f;
  int destroyed = 0;
  int failures = 0;
  f.loop.spawn(keeps_and_throws(Witness(destroyed), f.loop), [&failures](std::exception_ptr) { ++failures; });
  f.loop.run_until_idle();
  CHECK(failures == 1);
  CHECK(destroyed == 1);
}

}  // namespace
}  // namespace leger
