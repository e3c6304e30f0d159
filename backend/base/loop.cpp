#include "backend/base/loop.h"

#include <sys/eventfd.h>

#include <cassert>
#include <stdexcept>

namespace leger {
namespace {

// The frame that owns a spawned task: runs at once, destroys itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};

Detached detach(Task<void> task) { co_await task; }

}  // namespace

Loop::Loop(const Clock& clock) : clock_(clock), posted_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!posted_event_ || uv_loop_init(&loop_) != 0) throw std::runtime_error("libuv cannot make an event loop");
  if (uv_poll_init(&loop_, &posted_poll_, posted_event_.get()) != 0) {
    uv_loop_close(&loop_);
    throw std::runtime_error("libuv cannot watch for other threads");
  }
  uv_idle_init(&loop_, &ready_idle_);
  ready_idle_.data = this;
  uv_check_init(&loop_, &end_check_);
  end_check_.data = this;
  uv_idle_init(&loop_, &end_idle_);
  posted_poll_.data = this;
  uv_poll_start(&posted_poll_, UV_READABLE, on_posted);
  timers_ = std::make_unique<Timers>(&loop_, clock_);
}

Loop::~Loop() {
  assert(live_tasks_ == 0);
  timers_->close();
  uv_close(reinterpret_cast<uv_handle_t*>(&ready_idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&end_check_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&end_idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&posted_poll_), nullptr);
  // More than once where a stop() came after the last run.
  while (uv_run(&loop_, UV_RUN_DEFAULT) != 0) {
  }
  [[maybe_unused]] const int left = uv_loop_close(&loop_);
  assert(left == 0);
}

Task<void> Loop::rooted(Loop& loop, Task<void> task, FailureHandler on_failure) {
  try {
    co_await task;
  } catch (...) {
    on_failure(std::current_exception());
  }
  --loop.live_tasks_;
  if (loop.live_tasks_ == 0 && loop.stop_when_idle_) loop.stop();
}

void Loop::spawn(Task<void> task, FailureHandler on_failure) {
  ++live_tasks_;
  detach(rooted(*this, std::move(task), std::move(on_failure)));
}

void Loop::resume_soon(std::coroutine_handle<> waiter) {
  if (ready_.empty()) uv_idle_start(&ready_idle_, on_ready);
  ready_.push_back(waiter);
}

void Loop::on_ready(uv_idle_t* handle) {
  auto& loop = *static_cast<Loop*>(handle->data);
  const auto ready = std::exchange(loop.ready_, {});
  uv_idle_stop(handle);
  for (const auto waiter : ready) waiter.resume();
}

void Loop::resume_at_end(std::coroutine_handle<> waiter) {
  if (ending_.empty()) {
    uv_check_start(&end_check_, on_end);
    uv_idle_start(&end_idle_, [](uv_idle_t*) {});
  }
  ending_.push_back(waiter);
}

void Loop::on_end(uv_check_t* handle) {
  auto& loop = *static_cast<Loop*>(handle->data);
  const auto ending = std::exchange(loop.ending_, {});
  uv_check_stop(&loop.end_check_);
  uv_idle_stop(&loop.end_idle_);
  for (const auto waiter : ending) waiter.resume();
}

void Loop::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(posted_mutex_);
    posted_.push_back(std::move(work));
    if (posted_.size() > 1) return;  // the one before rang already
  }
  eventfd_write(posted_event_.get(), 1);
}

void Loop::on_posted(uv_poll_t* handle, int, int) {
  auto& loop = *static_cast<Loop*>(handle->data);
  eventfd_t rings = 0;
  eventfd_read(loop.posted_event_.get(), &rings);
  std::vector<std::function<void()>> posted;
  {
    const std::scoped_lock lock(loop.posted_mutex_);
    posted.swap(loop.posted_);
  }
  for (const auto& work : posted) work();
}

void Loop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void Loop::run_until_idle() {
  stop_when_idle_ = true;
  while (live_tasks_ != 0) run();  // a stop() for another reason ends a run early
  stop_when_idle_ = false;
}

void Loop::stop() { uv_stop(&loop_); }

Task<void> sleep_for(Loop& loop, std::uint64_t milliseconds) {
  const OneShot<bool> elapsed(loop);
  Timer timer(loop.timers(), [&elapsed] { elapsed.set(true); });
  timer.set_in(milliseconds);
  co_await elapsed;
}

}  // namespace leger
