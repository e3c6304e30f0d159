#pragma once

// What SQLite itself counts of the statements of all connections that a test opens: says by number, not by time, what
// a question costs.

#include <sqlite3.h>

#include <vector>

namespace leger::test {

struct StatementCounts {
  int runs = 0;
  int full_scan_steps = 0;
  int sorts = 0;
  int automatic_indices = 0;
  int machine_steps = 0;
};

// From before the database is opened until after the last counts().
class StatementWatch {
 public:
  StatementWatch() {
    connections().clear();
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(note));
  }
  StatementWatch(const StatementWatch&) = delete;
  StatementWatch& operator=(const StatementWatch&) = delete;
  ~StatementWatch() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(note)); }

  // Since the last call.
  StatementCounts counts() const {
    StatementCounts sum;
    for (sqlite3* connection : connections()) {
      for (sqlite3_stmt* statement = sqlite3_next_stmt(connection, nullptr); statement != nullptr;
           statement = sqlite3_next_stmt(connection, statement)) {
        sum.runs += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_RUN, 1);
        sum.full_scan_steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
        sum.sorts += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 1);
        sum.automatic_indices += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_AUTOINDEX, 1);
        sum.machine_steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
      }
    }
    return sum;
  }

 private:
  static std::vector<sqlite3*>& connections() {
    static std::vector<sqlite3*> all;
    return all;
  }
  static int note(sqlite3* connection, char** /*problem*/, const sqlite3_api_routines* /*routines*/) {
    connections().push_back(connection);
    return SQLITE_OK;
  }
};

}  // namespace leger::test
