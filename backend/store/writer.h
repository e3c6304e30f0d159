#pragma once

// The writer's thread: takes all that is queued, runs it in one transaction, each job in a savepoint of its own, and
// brings all results back to the loop at once. A transaction that somebody wants durable now is committed with an
// fsync; one without soon gets the fsync of a later one, which the thread makes itself where none comes. Owned by
// Database, for whom alone this header is.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/store/database.h"
#include "backend/store/statement.h"

namespace leger {

class Database::Writer {
 public:
  using Done = OneShot<Result<void>>;

  static constexpr std::size_t kMaxQueued = 4096;
  // From a commit without an fsync to the start of one that has it: half of the 100 ms that Durable::soon promises, the
  // rest is for the batch that is in the way and for the disk.
  static constexpr std::chrono::milliseconds kSyncDelay{50};

  // `loop` outlives the writer. std::system_error where no thread can be had.
  Writer(Loop& loop, std::unique_ptr<Connection> connection);
  // Commits what is queued, durably, and ends the thread. The last results are with the loop then.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Queues the work; `done` gets its result on the loop's thread. unavailable when the queue is full: then it never
  // does.
  Result<void> submit(Work work, Trace trace, Durable durable, const Done& done);

 private:
  struct Job {
    Work work;
    Trace trace;
    Durable durable;
    Done done;
    Result<void> result;
  };
  using Batch = std::vector<Job>;

  using Clock = std::chrono::steady_clock;

  void serve();
  bool next_batch(Batch& batch);
  void commit(Batch& batch);
  Durable wanted(const Batch& batch) const;
  Result<void> transact(Batch& batch, Durable durable);
  Result<void> use(Durable durable);
  void undo(Batch& batch, const Error& why);
  Result<void> run_job(Job& job);
  Result<void> end_job(const Result<void>& result);
  void scrub(const Batch& batch);
  Result<void> run(const char* sql) { return connection_->prepare(sql).run(); }

  Loop& loop_;
  // Up to the mutex: of the thread alone, once it runs.
  std::unique_ptr<Connection> connection_;
  Durable level_ = Durable::now;              // of the connection: PRAGMA synchronous is FULL or NORMAL
  std::optional<Clock::time_point> sync_at_;  // when what was committed without an fsync gets it; nothing: all has it
  bool sync_failed_ = false;                  // the last try; until one succeeds every batch is committed with it
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch queue_;
  bool stopping_ = false;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace leger
