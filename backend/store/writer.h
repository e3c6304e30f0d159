#pragma once

// The writer's thread: takes what is queued, runs it in one transaction, each job in a savepoint of its own, and brings
// all results back to the loop at once. Owned by Database, for whom alone this header is.

#include <condition_variable>
#include <memory>
#include <mutex>
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
  // Jobs of one transaction, whose pages are in memory until its end.
  static constexpr std::size_t kMostTogether = 64;

  // `loop` outlives the writer. std::system_error where no thread can be had.
  Writer(Loop& loop, std::unique_ptr<Connection> connection);
  // Commits what is queued, durably, and ends the thread. The last results are with the loop then.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Queues the work; `done` gets its result on the loop's thread. unavailable when the queue is full: then it never
  // does.
  Result<void> submit(Work work, Trace trace, const Done& done);

 private:
  struct Job {
    Work work;
    Trace trace;
    Done done;
    Result<void> result;
  };
  using Batch = std::vector<Job>;

  void serve();
  bool next_batch(Batch& batch);
  void commit(Batch& batch);
  Result<void> transact(Batch& batch);
  void undo(Batch& batch, const Error& why);
  void cover();
  Result<void> write_header();
  Result<void> run_alone(Job& job);
  Result<void> run_job(Job& job);
  Result<void> end_job(const Result<void>& result);
  void scrub(const Batch& batch);
  Result<void> run(const char* sql) { return connection_->prepare(sql).run(); }

  Loop& loop_;
  std::unique_ptr<Connection> connection_;  // of the thread alone, once it runs
  std::mutex mutex_;
  std::condition_variable changed_;
  Batch queue_;
  bool stopping_ = false;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace leger
