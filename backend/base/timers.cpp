#include "backend/base/timers.h"

#include <algorithm>
#include <utility>

namespace leger {

Timers::Timers(uv_loop_t* loop, const Clock& clock) : clock_(clock) {
  uv_timer_init(loop, &wake_);
  wake_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&wake_));
}

void Timers::close() { uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr); }

void Timers::run_due() {
  const std::uint64_t now = now_ms();
  // No more than there are now: a timer that sets itself to this moment is due in the loop's next turn.
  for (std::size_t left = queue_.size(); left > 0 && !queue_.empty() && queue_.begin()->first <= now; --left) {
    Timer* timer = queue_.begin()->second;
    queue_.erase(queue_.begin());
    timer->is_queued_ = false;
    if (timer->due_ms_ == Timer::kNever) continue;
    if (timer->due_ms_ > now) {
      timer->queue_at(timer->due_ms_);
      continue;
    }
    timer->due_ms_ = Timer::kNever;
    const auto on_due = timer->on_due_;  // a copy: the callback may destroy its timer
    on_due();
  }
  wake_at_ = UINT64_MAX;
  // libuv before 1.45 runs a timer that is started with 0 in its own callback again before it looks at anything else.
  wake_for_earliest(kNextTurnMs);
}

void Timers::wake_for_earliest(std::uint64_t least_delay_ms) {
  if (queue_.empty() || queue_.begin()->first >= wake_at_) return;
  wake_at_ = queue_.begin()->first;
  const std::uint64_t now = now_ms();
  const std::uint64_t delay = std::max(least_delay_ms, wake_at_ > now ? wake_at_ - now : 0);
  uv_timer_start(&wake_, [](uv_timer_t* handle) { static_cast<Timers*>(handle->data)->run_due(); }, delay, 0);
}

Timer::Timer(Timers& timers, std::function<void()> on_due) : timers_(timers), on_due_(std::move(on_due)) {}

Timer::~Timer() {
  if (is_queued_) timers_.queue_.erase(queued_);
}

void Timer::set_at(std::uint64_t at_ms) {
  due_ms_ = at_ms;
  if (is_queued_ && queued_->first <= at_ms) return;
  if (is_queued_) timers_.queue_.erase(queued_);
  queue_at(at_ms);
  timers_.wake_for_earliest(0);
}

void Timer::queue_at(std::uint64_t at_ms) {
  queued_ = timers_.queue_.emplace(at_ms, this);
  is_queued_ = true;
}

}  // namespace leger
