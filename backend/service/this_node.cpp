#include "backend/service/this_node.h"

#include <utility>

namespace leger {
namespace {

constexpr std::uint64_t kIntervalMs = 30'000;
constexpr std::uint64_t kUnknownIntervalMs = 2'000;  // while there is nothing to go by

}  // namespace

ThisNode::ThisNode(Loop& loop, LocalApi& tailscaled) : loop_(loop), tailscaled_(tailscaled), wake_(loop) {}

Task<Result<void>> ThisNode::refresh(std::uint64_t older_than_ms) {
  if (known_ && loop_.timers().now_ms() - known_since_ms_ < older_than_ms) co_return Result<void>();
  auto status = co_await tailscaled_.status();
  if (!status) co_return Fail(status.error());
  known_ = std::move(*status);
  known_since_ms_ = loop_.timers().now_ms();
  co_return Result<void>();
}

Task<void> ThisNode::run() {
  while (!stopped_) {
    // A failure changes nothing: who needs the node asks again and hears it then.
    const auto refreshed = co_await refresh(kUnknownIntervalMs / 2);
    static_cast<void>(refreshed);
    wake_ = OneShot<bool>(loop_);
    Timer timer(loop_.timers(), [wake = wake_] { wake.set(true); });
    timer.set_in(known_ && known_->is_running() ? kIntervalMs : kUnknownIntervalMs);
    if (!stopped_) co_await wake_;
  }
}

void ThisNode::stop() {
  stopped_ = true;
  wake_.set(true);
}

}  // namespace leger
