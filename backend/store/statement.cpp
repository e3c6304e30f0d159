#include "backend/store/statement.h"

#include <cerrno>
#include <utility>

namespace leger {
namespace {

// Never null: SQLite takes a null pointer for NULL, and an empty string_view may have one.
const char* start_of(std::string_view bytes) { return bytes.empty() ? "" : bytes.data(); }

// SQLITE_TRANSIENT is -1 as a function's address, by SQLite's definition: SQLite copies.
sqlite3_destructor_type copied() { return SQLITE_TRANSIENT; }  // NOLINT(performance-no-int-to-ptr)

bool means_full(int reason) { return reason == ENOSPC || reason == EDQUOT; }

// Of the last call that failed on the database's log. sqlite3_system_errno() does not know of one in a COMMIT.
int errno_of_log(sqlite3* database) {
  sqlite3_file* log = nullptr;
  int reason = 0;
  const int found = sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  if (found == SQLITE_OK && log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &reason);
  }
  return reason;
}

bool disk_is_full(sqlite3* database, int code) {
  if (code == SQLITE_FULL) return true;
  // A quota, or a full disk at the moment of the sync, comes as an I/O error. The errno is of that call then.
  if (code != SQLITE_IOERR && code != SQLITE_CANTOPEN) return false;
  if (means_full(sqlite3_system_errno(database))) return true;
  const int kind = sqlite3_extended_errcode(database);
  return (kind == SQLITE_IOERR_WRITE || kind == SQLITE_IOERR_FSYNC) && means_full(errno_of_log(database));
}

std::string file_of(sqlite3* database) {
  const char* name = sqlite3_db_filename(database, "main");
  return name == nullptr ? "" : name;
}

}  // namespace

Error sqlite_error(sqlite3* database, std::string_view what) {
  const int code = sqlite3_errcode(database) & 0xff;
  std::string message = file_of(database) + ": " + std::string(what) + ": " + sqlite3_errmsg(database);
  if (disk_is_full(database, code)) {
    return {Code::insufficient_storage, std::move(message), "Free some disk space, then try again.", {}};
  }
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {
          Code::unavailable, std::move(message), "Close the other program that uses the database, then try again.", {}};
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
      return {Code::unavailable, std::move(message), "Check the disk and the rights of the file, then try again.", {}};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::internal_error, std::move(message), "The file is damaged: restore it from a backup.", {}};
    default:
      return {Code::internal_error, std::move(message), {}, {}};
  }
}

Statement::Statement(sqlite3* database, sqlite3_stmt* statement, std::optional<Error> problem)
    : database_(database), statement_(statement), problem_(std::move(problem)) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      problem_(std::move(other.problem_)) {}

Statement::~Statement() {
  // Both do nothing to a null pointer but clear_bindings, which does not look.
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::note(int sqlite_answer) {
  if (sqlite_answer != SQLITE_OK && !problem_) problem_ = sqlite_error(database_, "cannot bind a parameter");
  return *this;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  if (problem_) return *this;
  return note(sqlite3_bind_int64(statement_, parameter, value));
}

Statement& Statement::bind(int parameter, std::string_view text) {
  if (problem_) return *this;
  return note(sqlite3_bind_text64(statement_, parameter, start_of(text), text.size(), copied(), SQLITE_UTF8));
}

Statement& Statement::bind_borrowed(int parameter, std::string_view text) {
  if (problem_) return *this;
  return note(sqlite3_bind_text64(statement_, parameter, start_of(text), text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Statement& Statement::bind_borrowed_blob(int parameter, std::string_view bytes) {
  if (problem_) return *this;
  return note(sqlite3_bind_blob64(statement_, parameter, start_of(bytes), bytes.size(), SQLITE_STATIC));
}

Statement& Statement::bind_optional(int parameter, const std::optional<std::string>& text) {
  if (text) return bind(parameter, *text);
  if (problem_) return *this;
  return note(sqlite3_bind_null(statement_, parameter));
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  if (problem_) return *this;
  return note(sqlite3_bind_blob64(statement_, parameter, start_of(bytes), bytes.size(), copied()));
}

Result<bool> Statement::step() {
  if (problem_) return Fail(*problem_);
  const int answer = sqlite3_step(statement_);
  if (answer == SQLITE_ROW) return true;
  if (answer == SQLITE_DONE) return false;
  return Fail(sqlite_error(database_, "cannot read or write"));
}

Result<void> Statement::run() {
  while (true) {
    const auto row = step();
    if (!row) return Fail(row.error());
    if (!*row) return {};
  }
}

void Statement::again() { sqlite3_reset(statement_); }

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

std::string Statement::text(int column) const { return optional_text(column).value_or(""); }

std::optional<std::string> Statement::optional_text(int column) const {
  // In this order, since asking for the text may convert it and the size is that of the last form.
  const auto* start = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (start == nullptr) return std::nullopt;
  return std::string(start, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string Statement::blob(int column) const {
  const auto* start = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (start == nullptr) return {};
  return {start, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace leger
