#pragma once

// SQLite's C interface with owners and Results: a connection that keeps its prepared statements, and a statement in use.
// One thread a connection.

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"

namespace leger {

// A prepared statement for one use: bound, stepped, and reset when it goes away. Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement(sqlite3* database, sqlite3_stmt* statement, Error problem);
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, const std::optional<std::string>& text);
  Statement& bind_blob(int parameter, std::string_view bytes);

  // True: a row is there to be read; false: no more rows.
  Result<bool> step();
  // For statements without rows: runs to the end.
  Result<void> run();

  std::int64_t integer(int column) const;
  std::string text(int column) const;  // empty for NULL
  std::optional<std::string> optional_text(int column) const;
  std::string blob(int column) const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
  std::optional<Error> problem_;  // of preparing or binding; step() gives it
};

class Connection {
 public:
  // Opens or makes the file; `writable` or read-only. Defensive settings as threats T43.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool writable);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` is one statement of our own text, never built from input; it is prepared once and kept.
  Statement prepare(const char* sql);
  // Runs statements without parameters: migrations, pragmas, BEGIN.
  Result<void> execute(const char* sql);
  // Rows that the last statement changed.
  int changes() const;

 private:
  explicit Connection(sqlite3* database) : database_(database) {}
  sqlite3* database_;
  std::map<const char*, sqlite3_stmt*> prepared_;
};

// What SQLite said, as our error: SQLITE_FULL is insufficient_storage, a busy or unwritable database unavailable.
Error sqlite_error(sqlite3* database, std::string_view what);

}  // namespace leger
