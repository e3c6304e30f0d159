#pragma once

// The one event loop of a process: libuv, coroutines to be resumed, timers, and a door for other threads.
// Owned by main; everything but post() belongs to the thread that calls run().
// It does not know HTTP, SQLite or D-Bus; those put their own libuv handles on uv().

#include <uv.h>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/file_handle.h"
#include "backend/base/task.h"
#include "backend/base/timers.h"

namespace leger {

class Loop {
 public:
  using FailureHandler = std::function<void(std::exception_ptr)>;

  // `clock` outlives the loop.
  explicit Loop(const Clock& clock);
  // Every task has ended and every handle but the loop's own is closed by now.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  uv_loop_t* uv() { return &loop_; }
  Timers& timers() { return *timers_; }
  const Clock& clock() const { return clock_; }

  // Starts a task at once; it owns itself from here on. `on_failure` gets the exception that ended it, if one did.
  void spawn(Task<void> task, FailureHandler on_failure);
  std::size_t live_tasks() const { return live_tasks_; }

  // Resumes a suspended coroutine soon, from the top of the loop's stack.
  void resume_soon(std::coroutine_handle<> waiter);

  // Resumes a suspended coroutine when this turn has looked at all its events, without a pass of its own.
  void resume_at_end(std::coroutine_handle<> waiter);

  // Runs `work` on the loop's thread; any thread may call this, and the loop lives until it has
  // returned.
  void post(std::function<void()> work);

  // Runs until stop().
  void run();
  // Runs until no spawned task is left.
  void run_until_idle();
  void stop();

 private:
  static void on_ready(uv_idle_t* handle);
  static void on_end(uv_check_t* handle);
  static void on_posted(uv_poll_t* handle, int status, int events);
  static Task<void> rooted(Loop& loop, Task<void> task, FailureHandler on_failure);

  const Clock& clock_;
  uv_loop_t loop_{};
  uv_idle_t ready_idle_{};  // active while ready_ is not empty: the poll does not block then
  // Both active while ending_ is not empty: libuv calls `check` after it has polled, and does not wait for that.
  uv_check_t end_check_{};
  uv_idle_t end_idle_{};
  // Not libuv's own way in for threads: up to 1.44, where the loop is woken before uv_async_send() has returned, it
  // spins until that thread, which may be waiting for this processor, goes on.
  FileHandle posted_event_;
  uv_poll_t posted_poll_{};
  std::unique_ptr<Timers> timers_;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> ending_;
  std::size_t live_tasks_ = 0;
  bool stop_when_idle_ = false;

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

// A value that arrives once, from a callback: copies share it. The first set() wins; every wait has one producer that
// is sure to call it, a deadline's timer at the latest. Loop thread only.
template <class T>
class OneShot {
 public:
  explicit OneShot(Loop& loop) : state_(std::make_shared<State>(loop)) {}

  bool set(T value) const {
    if (state_->value) return false;
    state_->value.emplace(std::move(value));
    if (state_->waiter) state_->loop.resume_soon(std::exchange(state_->waiter, nullptr));
    return true;
  }
  bool is_set() const { return state_->value.has_value(); }

  // `co_await one_shot` gives the value, moved out; one waiter only.
  bool await_ready() const { return is_set(); }
  void await_suspend(std::coroutine_handle<> waiter) const { state_->waiter = waiter; }
  T await_resume() const { return std::move(*state_->value); }

 private:
  struct State {
    explicit State(Loop& owner) : loop(owner) {}
    Loop& loop;
    std::optional<T> value;
    std::coroutine_handle<> waiter;
  };
  std::shared_ptr<State> state_;
};

// Lets everybody else have a turn: the loop resumes the waiter when it has looked at all of them.
struct NextTurn {
  Loop& loop;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const { loop.resume_soon(waiter); }
  void await_resume() const {}
};

// Waits until everybody has had this turn: what many of them want done can be done once then.
struct TurnEnd {
  Loop& loop;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const { loop.resume_at_end(waiter); }
  void await_resume() const {}
};

// Waits `milliseconds` of the loop's clock.
Task<void> sleep_for(Loop& loop, std::uint64_t milliseconds);

}  // namespace leger
