#pragma once

// A lazy, move-only coroutine. It starts when it is awaited and runs on the loop's thread; its frame is owned by the
// Task object and is never destroyed while it is suspended. Loop::spawn is the only root.
//
// Coroutines take their parameters by value, or references to what outlives the server: never a string_view, a span,
// or a capturing lambda's closure.
//
// Awaiting a Task resumes the child from within await_suspend and goes on at once when the child did not truly wait.
// That keeps the stack flat for any number of ready awaits with compilers that do not keep symmetric transfer
// (g++ 14 without optimisation and under sanitizers).

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "backend/base/frame_pool.h"

namespace leger {

template <class T>
class [[nodiscard]] Task;

namespace detail {

struct PromiseBase {
#if !defined(LEGER_SANITIZED)
  static void* operator new(std::size_t bytes) { return FramePool::take(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { FramePool::give_back(frame, bytes); }
#endif

  std::coroutine_handle<> waiter = std::noop_coroutine();
  bool resumed_inline = false;  // the waiter is still inside await_suspend and will look at done() itself
  std::exception_ptr exception;

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      PromiseBase& promise = self.promise();
      if (promise.resumed_inline) return std::noop_coroutine();
      return promise.waiter;
    }
    void await_resume() noexcept {}
  };

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() noexcept {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }

  // Runs the child up to its first true wait; false (go on at once) where it ended without one.
  bool await_suspend(std::coroutine_handle<> waiter) {
    detail::PromiseBase& promise = frame_.promise();
    promise.waiter = waiter;
    promise.resumed_inline = true;
    frame_.resume();
    if (frame_.done()) return false;
    promise.resumed_inline = false;
    return true;
  }

  // The child's value, moved out; rethrows what it threw.
  T await_resume() {
    if (frame_.promise().exception) std::rethrow_exception(frame_.promise().exception);
    return frame_.promise().take();
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace leger
