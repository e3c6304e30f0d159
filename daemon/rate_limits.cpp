#include "daemon/rate_limits.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace leger {
namespace {

constexpr std::size_t kFewBudgets = 1024;
constexpr std::uint32_t kUploadsAtOnce = 4;
constexpr double kMinuteMs = 60'000;

// Fills by `per_ms` up to `most`. A limit of 0 is none.
struct Bucket {
  double tokens = 0;
  std::uint64_t since_ms = 0;
  bool used = false;

  double level(std::uint64_t now_ms, double per_ms, double most) const {
    return used ? std::min(most, tokens + static_cast<double>(now_ms - since_ms) * per_ms) : most;
  }

  // 0 where one was taken, else the milliseconds until there is one.
  double take(std::uint64_t now_ms, double per_ms, double most) {
    tokens = level(now_ms, per_ms, most);
    since_ms = now_ms;
    used = true;
    if (tokens < 1) return (1 - tokens) / per_ms;
    tokens -= 1;
    return 0;
  }
};

Fail too_many(const std::string& what, double wait_ms) {
  const auto seconds = std::to_string(std::max(1, static_cast<int>(std::ceil(wait_ms / 1000))));
  return Fail({Code::rate_limit_exceeded, "Too many " + what + ".", "Try again in " + seconds + " s.",
               R"({"retry_after":)" + seconds + "}"});
}

}  // namespace

struct RateLimits::Budget {
  Bucket requests;
  Bucket sign_ins;
  Bucket uploads;
  std::uint32_t uploads_under_way = 0;
};

RateLimits::RateLimits(const Clock& clock, const Limits& limits)
    : clock_(clock), limits_(limits), forget_at_(kFewBudgets) {}

RateLimits::~RateLimits() = default;

std::shared_ptr<RateLimits::Budget> RateLimits::budget_of(const std::string& who) {
  const auto found = budgets_.find(who);
  if (found != budgets_.end()) return found->second;
  if (budgets_.size() >= forget_at_) forget_idle();
  return budgets_.emplace(who, std::make_shared<Budget>()).first->second;
}

// At most half of the budgets that are looked at now are looked at again before as many new ones have come.
void RateLimits::forget_idle() {
  std::erase_if(budgets_,
                [this](const auto& entry) { return entry.second.use_count() == 1 && is_full(*entry.second); });
  forget_at_ = std::max(kFewBudgets, budgets_.size() * 2);
}

bool RateLimits::is_full(const Budget& budget) const {
  const std::uint64_t now = clock_.monotonic_ms();
  const auto full = [now](const Bucket& bucket, double per_ms, double most) {
    return bucket.level(now, per_ms, most) >= most;
  };
  return budget.uploads_under_way == 0 && full(budget.requests, limits_.requests_per_second / 1000.0, burst()) &&
         full(budget.sign_ins, limits_.sign_ins_per_minute / kMinuteMs, limits_.sign_ins_per_minute) &&
         full(budget.uploads, limits_.uploads_per_minute / kMinuteMs, limits_.uploads_per_minute);
}

// A burst below what a second brings would only be a trap.
double RateLimits::burst() const { return std::max(limits_.request_burst, limits_.requests_per_second); }

Result<void> RateLimits::take_request(Budget& budget) const {
  if (limits_.requests_per_second == 0) return {};
  const double wait = budget.requests.take(clock_.monotonic_ms(), limits_.requests_per_second / 1000.0, burst());
  if (wait > 0) return too_many("requests", wait);
  return {};
}

Result<void> RateLimits::take_sign_in(Budget& budget) const {
  const std::uint32_t most = limits_.sign_ins_per_minute;
  if (most == 0) return {};
  const double wait = budget.sign_ins.take(clock_.monotonic_ms(), most / kMinuteMs, most);
  if (wait > 0) return too_many("sign-ins", wait);
  return {};
}

Result<RateLimits::Upload> RateLimits::begin_upload(const std::shared_ptr<Budget>& budget) const {
  const std::uint32_t most = limits_.uploads_per_minute;
  if (most == 0) return Upload(budget);
  if (budget->uploads_under_way >= kUploadsAtOnce) return too_many("uploads at once", 1000);
  const double wait = budget->uploads.take(clock_.monotonic_ms(), most / kMinuteMs, most);
  if (wait > 0) return too_many("uploads", wait);
  return Upload(budget);
}

RateLimits::Upload::Upload(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {
  ++budget_->uploads_under_way;
}

RateLimits::Upload::~Upload() {
  if (budget_) --budget_->uploads_under_way;
}

}  // namespace leger
