#pragma once

// Token buckets for what comes over TCP: requests, sign-ins and uploads, each by identity, or by address before one is
// known (threats T21). Memory is bounded: a bucket that has filled up again is forgotten. Owned by the daemon; loop
// thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "daemon/config.h"

namespace leger {

class RateLimits {
 public:
  // What one identity, or one address, has left.
  struct Budget;

  // `clock` outlives this.
  RateLimits(const Clock& clock, const Limits& limits);
  ~RateLimits();
  RateLimits(const RateLimits&) = delete;
  RateLimits& operator=(const RateLimits&) = delete;

  // The budget of `who`; shared by all of its connections.
  std::shared_ptr<Budget> budget_of(const std::string& who);

  // How many are remembered.
  std::size_t budgets() const { return budgets_.size(); }

  // Takes one; rate_limit_exceeded, whose details say in how many seconds there is one again, where none is left.
  Result<void> take_request(Budget& budget) const;
  Result<void> take_sign_in(Budget& budget) const;

  // An upload that is under way, which ends with the object.
  class Upload {
   public:
    explicit Upload(std::shared_ptr<Budget> budget);
    Upload(Upload&& other) noexcept = default;
    Upload& operator=(Upload&&) = delete;
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    ~Upload();

   private:
    std::shared_ptr<Budget> budget_;
  };
  // As above; at most four are under way at once.
  Result<Upload> begin_upload(const std::shared_ptr<Budget>& budget) const;

 private:
  void forget_idle();
  bool is_full(const Budget& budget) const;
  double burst() const;

  const Clock& clock_;
  const Limits limits_;
  std::map<std::string, std::shared_ptr<Budget>, std::less<>> budgets_;
  std::size_t forget_at_;  // so many budgets
};

}  // namespace leger
