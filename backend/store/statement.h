#pragma once

// SQLite's C interface with owners and Results: a connection that keeps its prepared statements, and a statement in
// use. One thread a connection.

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"

namespace leger {

// A prepared statement for one use: bound, stepped, and reset when it goes away. Parameters count from 1, columns from
// 0.
class Statement {
 public:
  // `problem`: why there is no statement; step() gives it.
  Statement(sqlite3* database, sqlite3_stmt* statement, std::optional<Error> problem);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // A number, or text of any bytes, which is copied. Numbers above INT64_MAX wrap to negative ones, which no row has.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  // Without a copy: the bytes live until the statement has run.
  Statement& bind_borrowed(int parameter, std::string_view text);
  Statement& bind_borrowed_blob(int parameter, std::string_view bytes);
  // The same; NULL where there is nothing.
  Statement& bind_optional(int parameter, const std::optional<std::string>& text);
  Statement& bind_blob(int parameter, std::string_view bytes);

  // True: a row is there to be read; false: no more rows.
  Result<bool> step();
  // For statements without rows: runs to the end.
  Result<void> run();
  // After run(): what is bound stays, and may be bound anew, for another run().
  void again();

  std::int64_t integer(int column) const;  // 0 for NULL
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string text(int column) const;  // empty for NULL
  std::optional<std::string> optional_text(int column) const;
  std::string blob(int column) const;

 private:
  Statement& note(int sqlite_answer);

  sqlite3* database_;
  sqlite3_stmt* statement_;
  std::optional<Error> problem_;  // of preparing or binding; step() gives it
};

class Connection {
 public:
  enum class Access { read_only, read_write };

  // Opens a file that exists; reads nothing of it yet. Defensive settings as threats T43.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Access access);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` is one statement of our own text, never built from input: a literal, since it is prepared once and kept by
  // its address. One statement is used by one Statement at a time; the second one's step() says so.
  Statement prepare(const char* sql);
  // Runs statements without parameters and without keeping them: migrations and pragmas.
  Result<void> execute(const char* sql);
  // Rows that the last statement changed.
  int changes() const;
  // Between BEGIN and its end; SQLite itself may end a transaction at an error such as a full disk.
  bool in_transaction() const;

 private:
  explicit Connection(sqlite3* database) : database_(database) {}
  Result<void> harden(Access access);

  sqlite3* database_;
  std::map<const char*, sqlite3_stmt*> prepared_;
};

// What SQLite said of its last call, as our error: SQLITE_FULL (and a disk or quota that is full beneath it) is
// insufficient_storage, a busy, failing or unwritable database unavailable, the rest internal_error. SQLite's words
// name tables and columns, never values. `what` says what was tried.
Error sqlite_error(sqlite3* database, std::string_view what);

}  // namespace leger
