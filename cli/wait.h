#pragma once

// Waiting for a task from plain code: runs the loop until nothing is left to do. For commands, which do one thing after
// another. The loop's own thread.

#include <exception>
#include <optional>
#include <utility>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger {

// The task's result; what it throws is rethrown. The task bounds its own time.
template <class T>
Result<T> wait_for(Loop& loop, Task<Result<T>> task) {
  struct Store {
    static Task<void> into(Task<Result<T>> from, std::optional<Result<T>>& to) { to.emplace(co_await from); }
  };
  std::optional<Result<T>> result;
  std::exception_ptr bug;
  loop.spawn(Store::into(std::move(task), result), [&bug](const std::exception_ptr& e) { bug = e; });
  loop.run_until_idle();
  if (bug) std::rethrow_exception(bug);
  return std::move(*result);
}

}  // namespace leger
