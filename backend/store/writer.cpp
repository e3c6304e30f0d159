#include "backend/store/writer.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace leger {
namespace {

// An exception is a bug in the work; the thread, and what others queued, must not pay for it.
Result<void> guarded(const Database::Work& work, Connection& connection) {
  try {
    return work(connection);
  } catch (const std::exception& problem) {
    return Fail(
        {Code::internal_error, std::string("a write to the store threw an exception: ") + problem.what(), {}, {}});
  } catch (...) {
    return Fail({Code::internal_error, "a write to the store threw something", {}, {}});
  }
}

}  // namespace

Database::Writer::Writer(Loop& loop, std::unique_ptr<Connection> connection)
    : loop_(loop), connection_(std::move(connection)), thread_([this] { serve(); }) {}

Database::Writer::~Writer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

Result<void> Database::Writer::submit(Work work, Trace trace, Durable durable, const Done& done) {
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() >= kMaxQueued) {
      return Fail({Code::unavailable, "the store has more writes waiting than it takes", "Try again in a moment.", {}});
    }
    queue_.push_back({std::move(work), trace, durable, done, {}});
  }
  changed_.notify_one();
  return {};
}

// Fills `batch` with what is queued, with nothing when only a sync is due; false when it is time to go.
bool Database::Writer::next_batch(Batch& batch) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return stopping_ || !queue_.empty(); };
  if (sync_at_) {
    changed_.wait_until(lock, *sync_at_, ready);
  } else {
    changed_.wait(lock, ready);
  }
  batch.swap(queue_);
  return !stopping_ || !batch.empty();
}

void Database::Writer::serve() {
  for (bool going = true; going;) {
    auto batch = std::make_shared<Batch>();
    going = next_batch(*batch);
    if (!batch->empty() || sync_at_) commit(*batch);
    if (batch->empty()) continue;
    // The jobs go back whole and end there, so that what their work captured is destroyed where it was made. By
    // clear(), since this thread may still hold a copy of the closure: libc++ copies a small function where others move
    // it.
    loop_.post([batch = std::move(batch)] {
      for (Job& job : *batch) job.done.set(std::move(job.result));
      batch->clear();
    });
  }
}

void Database::Writer::commit(Batch& batch) {
  const Durable durable = wanted(batch);
  const auto committed = transact(batch, durable);
  if (!committed) undo(batch, committed.error());
  if (committed && durable == Durable::now) {
    sync_at_.reset();
    sync_failed_ = false;
  } else if (sync_at_ && durable == Durable::now) {
    sync_failed_ = true;
    sync_at_ = Clock::now() + kSyncDelay;
  } else if (committed && !sync_at_) {
    sync_at_ = Clock::now() + kSyncDelay;
  }
  if (committed) scrub(batch);
}

// An empty batch is the sync itself. One that comes when the sync is due takes it along: where batches follow one
// another without a pause, nothing else would.
Database::Durable Database::Writer::wanted(const Batch& batch) const {
  const bool now = std::ranges::any_of(batch, [](const Job& job) { return job.durable == Durable::now; });
  const bool due = sync_at_ && Clock::now() >= *sync_at_;
  return now || due || sync_failed_ || batch.empty() ? Durable::now : Durable::soon;
}

// What fails is the error of all that were in it.
Result<void> Database::Writer::transact(Batch& batch, Durable durable) {
  if (auto set = use(durable); !set) return set;
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  for (Job& job : batch) {
    if (auto ended = run_job(job); !ended) return ended;
  }
  // SQLite syncs the log at a COMMIT that adds to it only, and the batch may have changed nothing.
  if (durable == Durable::now && sync_at_) {
    if (auto changed = run("UPDATE audit_chain SET syncs = syncs + 1"); !changed) return changed;
  }
  return run("COMMIT");
}

// By execute(), since the pragma takes effect when it is prepared: a statement that is kept would do it once. SQLite
// refuses it within a transaction.
Result<void> Database::Writer::use(Durable durable) {
  if (durable == level_) return {};
  const bool now = durable == Durable::now;
  if (auto set = connection_->execute(now ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"); !set) {
    return set;
  }
  level_ = durable;
  return {};
}

void Database::Writer::undo(Batch& batch, const Error& why) {
  // A failing ROLLBACK changes nothing: the next BEGIN says that the connection is still within a transaction.
  if (connection_->in_transaction()) {
    [[maybe_unused]] const auto undone = run("ROLLBACK");
  }
  for (Job& job : batch) {
    if (job.result) job.result = Fail(why);
  }
}

// Sets the job's own result; an error of this function itself is that of the whole transaction.
Result<void> Database::Writer::run_job(Job& job) {
  if (auto begun = run("SAVEPOINT job"); !begun) return begun;
  job.result = guarded(job.work, *connection_);
  return end_job(job.result);
}

Result<void> Database::Writer::end_job(const Result<void>& result) {
  // SQLite gives up the whole transaction at some errors, a full disk for one: what others wrote in it is gone too.
  if (!result && !connection_->in_transaction()) return result;
  if (!result) {
    if (auto undone = run("ROLLBACK TO job"); !undone) return undone;
  }
  return run("RELEASE job");
}

// Empties the log, whose old pages hold what was just deleted. Best effort: a reader may be in the way, and then the
// next checkpoint does it; the deletion itself is committed.
void Database::Writer::scrub(const Batch& batch) {
  const bool wanted =
      std::ranges::any_of(batch, [](const Job& job) { return job.result && job.trace == Trace::none_left; });
  if (!wanted) return;
  [[maybe_unused]] const auto emptied = connection_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace leger
