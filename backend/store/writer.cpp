#include "backend/store/writer.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iterator>
#include <string>
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

Result<void> Database::Writer::submit(Work work, Trace trace, const Done& done) {
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() >= kMaxQueued) {
      return Fail({Code::unavailable, "the store has more writes waiting than it takes", "Try again in a moment.", {}});
    }
    queue_.push_back({std::move(work), trace, done, {}});
  }
  changed_.notify_one();
  return {};
}

// Fills `batch` with what waits longest; false when it is time to go.
bool Database::Writer::next_batch(Batch& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMostTogether));
  std::move(queue_.begin(), end, std::back_inserter(batch));
  queue_.erase(queue_.begin(), end);
  return !stopping_ || !batch.empty();
}

void Database::Writer::serve() {
  for (bool going = true; going;) {
    auto batch = std::make_shared<Batch>();
    going = next_batch(*batch);
    if (batch->empty()) continue;
    commit(*batch);
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
  const auto committed = transact(batch);
  if (committed) {
    scrub(batch);
  } else {
    undo(batch, committed.error());
    cover();
  }
}

// What fails is the error of all that were in it.
Result<void> Database::Writer::transact(Batch& batch) {
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  if (batch.size() == 1) return run_alone(batch.front());
  for (Job& job : batch) {
    if (auto ended = run_job(job); !ended) return ended;
  }
  return run("COMMIT");
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

// A COMMIT that fails at its fsync is whole in the log: after a crash SQLite would take it for done, though all in it
// were told that it is not. Something else is written over it. Where that fails, too, the next commit does it.
void Database::Writer::cover() {
  if (!run("BEGIN IMMEDIATE")) return;
  const bool covered = write_header() && run("COMMIT");
  if (covered || !connection_->in_transaction()) return;
  [[maybe_unused]] const auto undone = run("ROLLBACK");
}

// The smallest write that changes nothing: the number of the migrations as it is.
Result<void> Database::Writer::write_header() {
  std::string same = "PRAGMA user_version = ";
  {
    Statement version = connection_->prepare("PRAGMA user_version");
    if (const auto row = version.step(); !row) return Fail(row.error());
    same += std::to_string(version.integer(0));
  }
  return connection_->execute(same.c_str());
}

// The transaction is the job's own, and needs no savepoint.
Result<void> Database::Writer::run_alone(Job& job) {
  job.result = guarded(job.work, *connection_);
  if (job.result) return run("COMMIT");
  return connection_->in_transaction() ? run("ROLLBACK") : job.result;
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
