#pragma once

// The one SQLite database, STATE/leger.db: opened, migrated, read on the loop, written by one thread of its own that
// commits what has gathered in one durable transaction (WAL, synchronous=FULL); and the journal of the audit beside it.
// Owned by main. STATE/lock keeps a second process out. Rules live in backend/service, SQL in the classes beside this
// one.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/store/audit_journal.h"
#include "backend/store/state_folder.h"
#include "backend/store/statement.h"

namespace leger {

class Database {
 public:
  // Makes `state_dir` (0700) and leger.db (0600) where they are not there, and brings an older schema up to date; a
  // newer one, a second process, a file that is no database: refused, with what to do. The store's writer thread runs
  // from here on.
  static Result<std::unique_ptr<Database>> open(Loop& loop, const std::string& state_dir);
  // Commits what is queued, ends the writer thread, closes both connections. Whoever still waits for a write gets its
  // result when the loop runs next.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // For short reads on the loop's thread.
  Connection& reader() { return *reader_; }

  // Long reads, for the pool: `read` gets a connection of its own, in a transaction that sees one state of the store.
  // What it captures by reference outlives the task; it touches neither the loop nor this.
  Task<Result<void>> read_apart(std::function<Result<void>(Connection&)> read);

  // Work for the writer's thread, inside a transaction that it shares with what else is queued: an error (or an
  // exception) undoes this work alone. It captures by value, touches nothing but the connection and its captures, and
  // begins or ends no transaction. What it captured is destroyed on the loop's thread.
  using Work = std::function<Result<void>(Connection&)>;

  // What a deletion leaves in the files: secure_delete overwrites it in the database in any case; `none_left` empties
  // the write-ahead log as well, for two more fsyncs.
  enum class Trace { may_stay_in_log, none_left };

  // Runs `work` and waits until its transaction is durable; a COMMIT that fails is the error of all that were in it.
  // `unavailable` when 4096 wait already, `insufficient_storage` on a full disk. Without a deadline of its own, since
  // work that was handed over cannot be taken back and its outcome must be known: the writer answers each one, locks
  // are waited for 5 s, and a disk that hangs is check()'s to notice.
  Task<Result<void>> write(Work work, Trace trace = Trace::may_stay_in_log);
  // The same, of what changes the audit alone: it counts as no change.
  Task<Result<void>> write_audit(Work work);
  // How many writes have been answered: what was read of the store under the same number holds, but for the audit.
  std::uint64_t changes() const { return *changes_; }

  AuditJournal& audit_journal() { return *audit_journal_; }
  Loop& loop() { return loop_; }

  // One turn through both connections, a page read and an empty transaction: the health check's and the watchdog's
  // question. `unavailable` when the writer does not come to it within 5 s. It tells that the store lives; an empty
  // transaction writes nothing, so that a full disk shows in the next write only.
  Task<Result<void>> check();

 private:
  class Writer;
  explicit Database(Loop& loop);
  Task<Result<void>> submit(Work work, Trace trace);
  Result<void> open_audit_journal(const std::string& folder);

  Loop& loop_;
  std::unique_ptr<StateFolder> folder_;  // first: unlocked when all else is closed
  std::unique_ptr<AuditJournal> audit_journal_;
  // Shared with writes that are answered after the database has gone.
  std::shared_ptr<std::uint64_t> changes_ = std::make_shared<std::uint64_t>(0);
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Connection> reader_;  // last: closed before the writer's, which then folds the log into the database
};

}  // namespace leger
