#include "backend/store/database.h"

#include <system_error>
#include <utility>

#include "backend/base/offload.h"
#include "backend/store/migrations.h"
#include "backend/store/writer.h"

namespace leger {
namespace {

constexpr std::uint64_t kCheckPatienceMs = 5000;

Result<void> read_a_page(Connection& connection) {
  return connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").run();
}

// On a thread of the pool. Where it fails, the end of the connection ends the transaction too.
Result<void> read_in_one(const std::string& path, const std::function<Result<void>(Connection&)>& read) {
  const auto connection = Connection::open(path, Connection::Access::read_only);
  if (!connection) return Fail(connection.error());
  if (auto begun = (*connection)->execute("BEGIN"); !begun) return begun;
  if (auto done = read(**connection); !done) return done;
  return (*connection)->execute("COMMIT");
}

}  // namespace

Database::Database(Loop& loop) : loop_(loop) {}

Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(Loop& loop, const std::string& state_dir) {
  std::unique_ptr<Database> database(new Database(loop));
  auto folder = StateFolder::open(state_dir);
  if (!folder) return Fail(folder.error());
  database->folder_ = *std::move(folder);
  const std::string path = database->folder_->database_path();
  if (auto prepared = database->folder_->prepare_database_file(); !prepared) return Fail(prepared.error());

  auto writing = Connection::open(path, Connection::Access::read_write);
  if (!writing) return Fail(writing.error());
  if (auto migrated = migrate(**writing, path); !migrated) return Fail(migrated.error());
  auto reading = Connection::open(path, Connection::Access::read_only);
  if (!reading) return Fail(reading.error());
  database->reader_ = *std::move(reading);
  if (auto readable = read_a_page(*database->reader_); !readable) return Fail(readable.error());
  if (auto opened = database->open_audit_journal(database->folder_->path()); !opened) return Fail(opened.error());
  try {
    database->writer_ = std::make_unique<Writer>(loop, *std::move(writing));
  } catch (const std::system_error& problem) {
    return Fail(system_error("cannot start the store's thread", problem.code().value()));
  }
  return database;
}

Task<Result<void>> Database::read_apart(std::function<Result<void>(Connection&)> read) {
  auto in_pool = [path = folder_->database_path(), read = std::move(read)] { return read_in_one(path, read); };
  auto result = co_await offload(loop_, std::move(in_pool));
  co_return result;
}

Result<void> Database::open_audit_journal(const std::string& folder) {
  Statement statement = reader_->prepare("SELECT journalled FROM audit_chain");
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  auto journal = AuditJournal::open(folder, *row ? static_cast<std::uint64_t>(statement.integer(0)) : 0);
  if (!journal) return Fail(journal.error());
  audit_journal_ = *std::move(journal);
  return {};
}

Task<Result<void>> Database::submit(Work work, Trace trace) {
  const Writer::Done done(loop_);
  if (auto queued = writer_->submit(std::move(work), trace, done); !queued) co_return queued;
  auto result = co_await done;
  co_return result;
}

Task<Result<void>> Database::write(Work work, Trace trace) {
  const std::shared_ptr<std::uint64_t> changes = changes_;
  auto result = co_await submit(std::move(work), trace);
  ++*changes;
  co_return result;
}

Task<Result<void>> Database::write_audit(Work work) { return submit(std::move(work), Trace::may_stay_in_log); }

Task<Result<void>> Database::check() {
  if (auto readable = read_a_page(*reader_); !readable) co_return readable;
  const Writer::Done done(loop_);
  Timer deadline(loop_.timers(), [done] {
    done.set(
        Fail({Code::unavailable, "the store's writer has not answered for 5 s", "Check the disk of state_dir.", {}}));
  });
  deadline.set_in(kCheckPatienceMs);
  auto nothing = [](Connection&) -> Result<void> { return {}; };
  if (auto queued = writer_->submit(nothing, Trace::may_stay_in_log, done); !queued) co_return queued;
  auto result = co_await done;
  co_return result;
}

}  // namespace leger
