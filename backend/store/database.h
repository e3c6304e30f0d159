#pragma once

// The one SQLite database, STATE/leger.db: opened, migrated, read on the loop, written by one thread of its own that
// commits what has gathered in one durable transaction (WAL, synchronous=FULL). Owned by main. STATE/lock keeps a second
// process out. Rules live in backend/service, SQL in the classes beside this one.

#include <functional>
#include <memory>
#include <string>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/store/statement.h"

namespace leger {

class Database {
 public:
  // Makes `state_dir` (0700) and leger.db (0600) where they are not there, and brings an older schema up to date; a newer
  // one, a second process, a file that is no database: refused, with what to do. The store's writer thread runs from here on.
  static Result<std::unique_ptr<Database>> open(Loop& loop, const std::string& state_dir);
  // Commits what is queued, ends the writer thread, closes both connections.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // For short reads on the loop's thread.
  Connection& reader() { return *reader_; }

  // Work for the writer's thread, inside a transaction that it shares with what else is queued: an error (or an
  // exception) undoes this work alone. It captures by value and touches nothing but the connection and its captures.
  using Work = std::function<Result<void>(Connection&)>;

  // Runs `work` and waits until its transaction is durable; a COMMIT that fails is the error of all that were in it.
  // `unavailable` when more than 4096 wait already, `insufficient_storage` on a full disk.
  Task<Result<void>> write(Work work);

  // One turn through both connections: the health check's and the watchdog's question.
  Task<Result<void>> check();

 private:
  class Writer;
  Database();
  int lock_fd_ = -1;
  std::unique_ptr<Connection> reader_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace leger
