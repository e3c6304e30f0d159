#pragma once

// What tests of several rooms share: a clock that stands still until it is moved, a temporary folder, and a way to run
// a task to its end on a loop.

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger::test {

// Moved by the thread of the loop that it serves.
class FakeClock final : public Clock {
 public:
  std::uint64_t monotonic_ms() const override { return monotonic_; }
  std::uint64_t boot_ms() const override { return monotonic_; }
  std::int64_t wall_seconds() const override { return wall_offset_ + static_cast<std::int64_t>(monotonic_ / 1000); }
  void advance(std::uint64_t milliseconds) { monotonic_ += milliseconds; }
  // Sets the wall clock alone, as a person or a time server does.
  void set_wall(std::int64_t seconds) { wall_offset_ = seconds - static_cast<std::int64_t>(monotonic_ / 1000); }

 private:
  static constexpr std::int64_t kStart = 1'790'000'000;
  std::uint64_t monotonic_ = 0;
  std::int64_t wall_offset_ = kStart;
};

// A folder of its own, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "leger-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Runs `task` to its end on `loop` and gives its value; what it throws is rethrown.
template <class T>
T run(Loop& loop, Task<T> task) {
  std::optional<T> value;
  std::exception_ptr problem;
  struct Store {
    static Task<void> into(Task<T> from, std::optional<T>& to) { to.emplace(co_await from); }
  };
  loop.spawn(Store::into(std::move(task), value), [&problem](std::exception_ptr e) { problem = e; });
  loop.run_until_idle();
  if (problem) std::rethrow_exception(problem);
  return std::move(*value);
}

}  // namespace leger::test
