#pragma once

// This machine as a node of its tailnet: its names, addresses and user, asked from tailscaled every half minute and
// whenever somebody needs it fresh. What was known stays known while tailscaled is away. Loop thread.

#include <cstdint>
#include <optional>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/tailscale/local_api.h"

namespace leger {

class ThisNode {
 public:
  // Both outlive this.
  ThisNode(Loop& loop, LocalApi& tailscaled);

  // As it was last seen; null before the first answer.
  const NodeStatus* known() const { return known_ ? &*known_ : nullptr; }

  // Asks tailscaled where the last answer is older than `older_than_ms`; its error where it does not answer then.
  Task<Result<void>> refresh(std::uint64_t older_than_ms);

  // Refreshes until stop().
  Task<void> run();
  void stop();

 private:
  Loop& loop_;
  LocalApi& tailscaled_;
  OneShot<bool> wake_;
  std::optional<NodeStatus> known_;
  std::uint64_t known_since_ms_ = 0;
  bool stopped_ = false;
};

}  // namespace leger
