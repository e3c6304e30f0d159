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

// Columns of `secrets` that no longer are; what they said is in its versions.
constexpr const char* kGone = "('encryption_version', 'updated_at')";

// A question for each table that gives all its columns as they are in this schema, told apart by type.
std::map<std::string, std::string> questions(RawDatabase& database) {
  std::map<std::string, std::string> by_table;
  const std::string found = database.rows(
      "SELECT t.name, group_concat('quote(' || c.name || ')', ', ') FROM sqlite_schema t, pragma_table_info(t.name) c"
      " WHERE t.type = 'table' AND NOT (t.name = 'secrets' AND c.name IN " +
      std::string(kGone) + ") GROUP BY t.name");
  for (const std::string_view line : split(found, '\n')) {
    const auto parts = split(line, '|');
    if (parts.size() < 2) continue;
    by_table[std::string(parts[0])] =
        "SELECT " + std::string(parts[1]) + " FROM " + std::string(parts[0]) + " ORDER BY 1, 2";
  }
  return by_table;
}

// The question after the newest step, for what has another name since then.
std::string asked_now(const std::string& table, std::string question) {
  const std::string old = "quote(version)";
  if (table == "secrets") question.replace(question.find(old), old.size(), "quote(last_version)");
  return question;
}

// A database made of `file`, then opened as legerd does; with a question for each table it had, and what the answer was
// before.
struct Migrated {
  Migrated(const char* file, const std::string& schema) {
    {
      RawDatabase old(path());
      old.execute(content_of(file));
      REQUIRE(old.rows("PRAGMA user_version") == schema + "|\n");
      asked = questions(old);
      for (const auto& [table, question] : asked) before[table] = old.rows(question);
    }
    FakeClock clock;
    Loop loop(clock);
    REQUIRE(Database::open(loop, folder.path()).has_value());
  }
  std::string path() const { return folder / "leger.db"; }

  TemporaryFolder folder;
  std::map<std::string, std::string> asked;
  std::map<std::string, std::string> before;
};

std::string schema_of(RawDatabase& database) {
  return database.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name");
}

}  // namespace

TEST_CASE("a database of an older schema is brought to the newest with every row of every table kept") {
  struct Old {
    const char* file;
    std::string schema;
    std::size_t tables;  // with SQLite's own for AUTOINCREMENT
  };
  for (const Old& old : {Old{SCHEMA_1, "1", 13}, Old{SCHEMA_2, "2", 15}}) {
    INFO(old.file);
    const Migrated migrated(old.file, old.schema);
    REQUIRE(migrated.before.size() == old.tables);
    RawDatabase now(migrated.path());
    CHECK(now.rows("PRAGMA user_version") == std::to_string(newest_schema()) + "|\n");
    for (const auto& [table, rows] : migrated.before) {
      INFO(table);
      REQUIRE_FALSE(rows.empty());
      CHECK(now.rows(asked_now(table, migrated.asked.at(table))) == rows);
    }
    CHECK(now.rows("PRAGMA integrity_check") == "ok|\n");
    CHECK(now.rows("PRAGMA foreign_key_check").empty());
  }
}

TEST_CASE("a database of schema 1 gets what sessions and signing need, empty") {
  const Migrated migrated(SCHEMA_1, "1");
  RawDatabase now(migrated.path());
  CHECK(now.rows("SELECT key_id, purpose FROM data_keys") == "1|secrets|\n5|secrets|\n");
  CHECK(now.rows("SELECT seconds FROM time_mark") == "0|\n");
  CHECK(now.rows("SELECT * FROM sessions").empty());
}

TEST_CASE("a database of schema 2 gets what its journals and values tell of the use of secrets and keys") {
  const Migrated migrated(SCHEMA_2, "2");
  RawDatabase now(migrated.path());
  // d8 is live and replaced d6; d11 is unfinished; d5 and d7 are history; d4 and d10 are live with journals that name
  // no secrets.
  CHECK(now.rows("SELECT id FROM deployments WHERE kept = 1") == "d6|\n");
  CHECK(now.rows("SELECT deployment_id, name, version FROM deployment_secrets ORDER BY 1, 2") ==
        "d11|b|12|\nd6|test_key|2|\nd8|a|1|\nd8|test_key|3|\n");
  CHECK(now.rows("SELECT key_id, seals FROM data_keys") == "1|1|\n5|2|\n9|0|\n");
  CHECK(now.rows("SELECT * FROM audit").empty());
  CHECK(now.rows("SELECT first_id, hex(hash_before_first) = hex(zeroblob(32)), last_id FROM audit_chain") ==
        "1|1|0|\n");
  CHECK(now.rows("SELECT * FROM new_key_file").empty());
}

TEST_CASE(
    "secrets of an older schema have their versions and times, and the numbers of deleted ones do not come again") {
  FakeClock clock;
  Loop loop(clock);
  const Migrated migrated(SCHEMA_2, "2");
  const auto database = Database::open(loop, migrated.folder.path()).value();
  SqliteSecrets secrets(*database);
  const std::string alice = "550e8400-e29b-41d4-a716-446655440000";
  const auto listed = secrets.list(alice, "", 10).value();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].name == "test_key");
  CHECK(listed[0].version == 3);
  CHECK(listed[0].updated_at == "2026-11-22T04:05:06Z");
  const auto number_of_next = [&](const std::string& name, std::uint64_t nonce) {
    PutSecret put{.user_uuid = alice,
                  .name = name,
                  .now = kLater,
                  .if_version = {},
                  .audit = audit_record("secret.set", name),
                  .seal = [nonce](std::uint64_t) -> Result<SealedValue> { return sealed_value(nonce); }};
    return test::run(loop, secrets.put(std::move(put))).value().info.version;
  };
  CHECK(number_of_next("test_key", 1) == 4);
  CHECK(number_of_next("gone", 2) == 5);
}

TEST_CASE("a database that grew step by step has the schema of one that was made at once") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder fresh;
  {
    REQUIRE(Database::open(loop, fresh.path()).has_value());
  }
  RawDatabase made(fresh / "leger.db");
  for (const auto& [file, schema] : {std::pair(SCHEMA_1, "1"), std::pair(SCHEMA_2, "2")}) {
    const Migrated grown(file, schema);
    RawDatabase now(grown.path());
    CHECK(schema_of(now) == schema_of(made));
  }
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
