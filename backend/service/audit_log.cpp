#include "backend/service/audit_log.h"

#include <exception>
#include <utility>

#include "backend/base/clock.h"

namespace leger {
namespace {

constexpr std::size_t kMostRefusals = 1024;  // kinds of them within a minute; what goes beyond is counted as one kind
constexpr std::uint64_t kFoldMs = 50;        // half of the 100 ms that a record may take to the disk
constexpr std::uint64_t kProbeMs = 10'000;
constexpr std::uint64_t kMinuteMs = 60'000;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::uint64_t kDayMs = 86'400'000;
constexpr std::uint32_t kDroppedAtOnce = 1000;

Fail not_recorded(const Error& why) {
  return Fail(
      {Code::unavailable,
       "The audit cannot be written, and nothing that must be on record is done without it.",
       "Look at the disk of state_dir; legerd's log says more: journalctl --user -u legerd (" + why.message + ")",
       {}});
}

}  // namespace

AuditLog::AuditLog(Loop& loop, const Log& log, AuditStore& store, const SessionClock& clock, std::uint32_t keep_days)
    : loop_(loop),
      log_(log),
      store_(store),
      clock_(clock),
      keep_days_(keep_days),
      fold_(loop.timers(), [this] { spawn(fold_kept()); }),
      minute_(loop.timers(), [this] { end_minute(); }),
      probe_(loop.timers(), [this] { spawn(try_to_write(record({{}, "legerd", {}}, "audit.resumed", {}))); }),
      wake_(loop) {}

AuditRecord AuditLog::record(Actor actor, std::string action, std::string object) const {
  const std::int64_t now = loop_.clock().wall_seconds();
  if (now != std::exchange(second_, now)) time_ = rfc3339(now);
  return {.time = time_,
          .actor = std::move(actor.user_uuid),
          .source = std::move(actor.source),
          .action = std::move(action),
          .object = std::move(object),
          .version = std::nullopt,
          .request_id = std::move(actor.request_id)};
}

void AuditLog::spawn(Task<void> task) {
  loop_.spawn(std::move(task), [this](std::exception_ptr) { log_.error("the audit failed with an exception"); });
}

Task<Result<void>> AuditLog::write(AuditRecord record) {
  if (failing_ || store_.is_full()) {
    const auto folded = co_await flush();
    if (!folded) co_return not_recorded(folded.error());
  }
  store_.gather(record);
  const std::uint64_t batch = batch_;
  co_await TurnEnd{loop_};
  if (batch == batch_) keep();  // the first to be resumed, for all of the turn
  if (!kept_) co_return not_recorded(kept_.error());
  co_return Result<void>();
}

void AuditLog::keep() {
  ++batch_;
  kept_ = store_.keep();
  if (!kept_ || failing_) note(kept_);
  if (kept_ && !fold_.is_set()) fold_.set_in(kFoldMs);
}

Task<Result<void>> AuditLog::flush() {
  const OneShot<Result<void>> done(loop_);
  waiting_.push_back(done);
  if (!folding_) spawn(fold());
  auto folded = co_await done;
  co_return folded;
}

Task<void> AuditLog::fold() {
  folding_ = true;
  while (!waiting_.empty()) {
    const auto waiting = std::exchange(waiting_, {});
    fold_.clear();
    const bool has_kept = store_.has_kept();
    const auto folded = co_await store_.fold();
    if (has_kept) note(folded);
    for (const auto& done : waiting) done.set(folded);
    if (folded && store_.has_kept()) fold_.set_in(kFoldMs);
  }
  folding_ = false;
}

Task<void> AuditLog::fold_kept() {
  // note() has reported what is in the way, and the next write tries again.
  [[maybe_unused]] const auto folded = co_await flush();
}

Task<void> AuditLog::keep_order() {
  if (!store_.has_kept()) co_return;
  if (folding_) {
    co_await fold_kept();
  } else {
    spawn(fold_kept());  // with the writer, before the change, when this returns
  }
}

Task<Result<AuditPage>> AuditLog::list(AuditQuery query) {
  co_await fold_kept();
  co_return store_.list(query);
}

Task<Result<AuditVerdict>> AuditLog::verify() {
  co_await fold_kept();
  auto verdict = co_await store_.verify();
  co_return verdict;
}

void AuditLog::note(const Result<void>& written) {
  if (!written && !failing_) log_.error("the audit cannot be written", {{"WHY", written.error().message}});
  if (written && failing_) log_.info("the audit can be written again");
  failing_ = !written;
  if (failing_ && !stopped_) probe_.set_in(kProbeMs);
}

Task<void> AuditLog::try_to_write(AuditRecord record) {
  // What it is about has happened, on record or not; note() has reported why.
  [[maybe_unused]] const auto written = co_await write(std::move(record));
}

void AuditLog::refused(AuditRecord record) {
  if (stopped_) return;
  Refusal kind{record.source, record.outcome};
  if (!refusals_.contains(kind) && refusals_.size() >= kMostRefusals) {
    record.actor.clear();
    record.object.clear();
    kind.first = record.source = "others";
  }
  const auto [entry, is_first] = refusals_.try_emplace(std::move(kind));
  if (is_first) {
    if (refusals_.size() == 1) minute_.set_in(kMinuteMs);
    spawn(try_to_write(std::move(record)));
  } else if (entry->second) {
    ++entry->second->count;
  } else {
    entry->second = std::move(record);
  }
}

// What goes on is gathered for another minute; what has ended is forgotten.
void AuditLog::end_minute() {
  for (auto& [kind, gathered] : refusals_) {
    if (gathered) spawn(try_to_write(*gathered));
  }
  std::erase_if(refusals_, [](const auto& refusal) { return !refusal.second; });
  for (auto& [kind, gathered] : refusals_) gathered.reset();
  if (!refusals_.empty()) minute_.set_in(kMinuteMs);
}

Task<void> AuditLog::drop_old() {
  // Whole days, by what is known to have passed: a clock that jumps ahead drops nothing.
  const std::int64_t today = clock_.passed() / kDaySeconds;
  const std::string first_kept = rfc3339((today - keep_days_) * kDaySeconds);
  std::uint64_t dropped = kDroppedAtOnce;
  while (dropped == kDroppedAtOnce && !stopped_) {
    const auto some = co_await store_.drop_before(first_kept, kDroppedAtOnce);
    if (!some) log_.warning("old rows of the audit cannot be dropped", {{"WHY", some.error().message}});
    dropped = some.value_or(0);
  }
}

Task<void> AuditLog::run() {
  co_await fold_kept();
  if (keep_days_ == 0) co_return;
  Timer timer(loop_.timers(), [this] { wake_.set(true); });
  while (!stopped_) {
    wake_ = OneShot<bool>(loop_);
    co_await drop_old();
    timer.set_in(kDayMs);
    if (!stopped_) co_await wake_;
  }
}

Task<void> AuditLog::stop() {
  stopped_ = true;
  wake_.set(true);
  minute_.clear();
  probe_.clear();
  for (auto& [kind, gathered] : std::exchange(refusals_, {})) {
    if (gathered) co_await try_to_write(std::move(*gathered));
  }
  co_await fold_kept();
}

}  // namespace leger
