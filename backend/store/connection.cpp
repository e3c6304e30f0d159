// The connection of statement.h: opening with the settings of threats T43, and the prepared statements it keeps.

#include <array>
#include <utility>

#include "backend/store/gathered_log.h"
#include "backend/store/statement.h"

namespace leger {
namespace {

// The writer may wait for a backup's short lock. The reader stands on the loop, and in WAL mode nobody locks it out for
// longer than a moment.
constexpr int kWriterPatienceMs = 5000;
constexpr int kReaderPatienceMs = 20;

constexpr const char* kSettings =
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA synchronous = FULL;"
    // gathered_log.h asks for it.
    "PRAGMA cache_spill = OFF;"
    // 16 MiB. Each change touches a dozen pages, and a log that is folded into the database costs two fsyncs.
    "PRAGMA wal_autocheckpoint = 4000;"
    "PRAGMA temp_store = MEMORY;";

struct Switch {
  int option;
  int value;
};

// DQS: a mistyped column is an error, not a text.
constexpr std::array kSwitches{Switch{SQLITE_DBCONFIG_DEFENSIVE, 1}, Switch{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                               Switch{SQLITE_DBCONFIG_DQS_DML, 0}, Switch{SQLITE_DBCONFIG_DQS_DDL, 0}};

// SQLite counts the memory that it has, under a lock at each allocation; nobody asks for the count. It has to be told
// before its first use.
void do_not_count_memory() { [[maybe_unused]] static const int done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Access access) {
  do_not_count_memory();
  sqlite3* database = nullptr;
  const int mode = access == Access::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  // NOMUTEX: one thread a connection.
  const int answer =
      sqlite3_open_v2(path.c_str(), &database, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, gathered_log());
  if (database == nullptr) return Fail({Code::unavailable, path + ": SQLite has no memory left", {}, {}});
  std::unique_ptr<Connection> connection(new Connection(database));
  if (answer != SQLITE_OK) return Fail(sqlite_error(database, "cannot open the database"));
  if (auto hardened = connection->harden(access); !hardened) return Fail(hardened.error());
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
  sqlite3_close_v2(database_);
}

Result<void> Connection::harden(Access access) {
  for (const Switch& option : kSwitches) {
    if (sqlite3_db_config(database_, option.option, option.value, nullptr) != SQLITE_OK) {
      return Fail(sqlite_error(database_, "cannot set a protection of the database"));
    }
  }
  sqlite3_busy_timeout(database_, access == Access::read_write ? kWriterPatienceMs : kReaderPatienceMs);
  return execute(kSettings);
}

Statement Connection::prepare(const char* sql) {
  if (const auto known = prepared_.find(sql); known != prepared_.end()) {
    if (sqlite3_stmt_busy(known->second) == 0) return {database_, known->second, std::nullopt};
    return {database_, nullptr,
            Error{Code::internal_error, std::string("a statement is in use already: ") + sql, {}, {}}};
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return {database_, nullptr, sqlite_error(database_, "cannot prepare a statement")};
  }
  prepared_.emplace(sql, statement);
  return {database_, statement, std::nullopt};
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return Fail(sqlite_error(database_, "cannot run a statement"));
}

int Connection::changes() const { return sqlite3_changes(database_); }

bool Connection::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

}  // namespace leger
