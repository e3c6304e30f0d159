#include "backend/store/migrations.h"

#include <map>

#include "backend/base/text.h"
#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

class RawDatabase {
 public:
  explicit RawDatabase(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &database_) == SQLITE_OK); }
  RawDatabase(const RawDatabase&) = delete;
  RawDatabase& operator=(const RawDatabase&) = delete;
  ~RawDatabase() { sqlite3_close(database_); }

  void execute(const std::string& sql) {
    REQUIRE(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  // All rows as one text: a line a row.
  std::string rows(const std::string& sql) {
    std::string text;
    const auto add_row = [](void* to, int count, char** values, char** /*names*/) {
      for (int i = 0; i < count; ++i)
        *static_cast<std::string*>(to) += std::string(values[i] ? values[i] : "NULL") + "|";
      *static_cast<std::string*>(to) += "\n";
      return 0;
    };
    REQUIRE(sqlite3_exec(database_, sql.c_str(), add_row, &text, nullptr) == SQLITE_OK);
    return text;
  }

 private:
  sqlite3* database_ = nullptr;
};

// A question for each table that gives all its columns as they are in this schema, told apart by type.
std::map<std::string, std::string> questions(RawDatabase& database) {
  std::map<std::string, std::string> by_table;
  const std::string found = database.rows(
      "SELECT t.name, group_concat('quote(' || c.name || ')', ', ') FROM sqlite_schema t, pragma_table_info(t.name) c"
      " WHERE t.type = 'table' GROUP BY t.name");
  for (const std::string_view line : split(found, '\n')) {
    const auto parts = split(line, '|');
    if (parts.size() < 2) continue;
    by_table[std::string(parts[0])] =
        "SELECT " + std::string(parts[1]) + " FROM " + std::string(parts[0]) + " ORDER BY 1, 2";
  }
  return by_table;
}

std::string schema_of(RawDatabase& database) {
  return database.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
}

}  // namespace

TEST_CASE("a database of schema 1 is brought to the newest with every row of every table kept") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> asked;
  {
    RawDatabase old(folder / "leger.db");
    old.execute(content_of(SCHEMA_1));
    REQUIRE(old.rows("PRAGMA user_version") == "1|\n");
    asked = questions(old);
    for (const auto& [table, question] : asked) before[table] = old.rows(question);
  }
  REQUIRE(before.size() == 13);  // twelve tables, and SQLite's own for AUTOINCREMENT
  for (const auto& [table, rows] : before) {
    INFO(table);
    REQUIRE_FALSE(rows.empty());
  }
  {
    REQUIRE(Database::open(loop, folder.path()).has_value());
  }
  RawDatabase now(folder / "leger.db");
  CHECK(now.rows("PRAGMA user_version") == std::to_string(newest_schema()) + "|\n");
  for (const auto& [table, rows] : before) {
    INFO(table);
    CHECK(now.rows(asked[table]) == rows);
  }
  CHECK(now.rows("SELECT key_id, purpose FROM data_keys") == "1|secrets|\n5|secrets|\n");
  CHECK(now.rows("SELECT seconds FROM time_mark") == "0|\n");
  CHECK(now.rows("SELECT * FROM sessions").empty());
  CHECK(now.rows("PRAGMA integrity_check") == "ok|\n");
  CHECK(now.rows("PRAGMA foreign_key_check").empty());
}

TEST_CASE("a database that grew step by step has the schema of one that was made at once") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder grown;
  const TemporaryFolder fresh;
  {
    RawDatabase old(grown / "leger.db");
    old.execute(content_of(SCHEMA_1));
  }
  {
    REQUIRE(Database::open(loop, grown.path()).has_value());
  }
  {
    REQUIRE(Database::open(loop, fresh.path()).has_value());
  }
  RawDatabase one(grown / "leger.db");
  RawDatabase other(fresh / "leger.db");
  CHECK(schema_of(one) == schema_of(other));
}

TEST_CASE("a step that cannot be done leaves the database as it was") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  std::string before;
  {
    RawDatabase old(folder / "leger.db");
    old.execute(content_of(SCHEMA_1));
    old.execute("CREATE TABLE time_mark (of_somebody_else)");  // what the second step makes after the sessions
    before = schema_of(old);
  }
  const auto opened = Database::open(loop, folder.path());
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().message.find("time_mark") != std::string::npos);
  RawDatabase now(folder / "leger.db");
  CHECK(schema_of(now) == before);
  CHECK(now.rows("PRAGMA user_version") == "1|\n");
}
