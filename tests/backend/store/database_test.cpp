#include "backend/store/database.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <random>

#include "backend/store/migrations.h"
#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return 0;
  return status.st_mode & 07777;
}

Error refusal(Loop& loop, const std::string& state) {
  auto database = Database::open(loop, state);
  REQUIRE_FALSE(database.has_value());
  INFO(database.error().message);
  CHECK_FALSE(database.error().action.empty());
  return database.error();
}

std::string setting(Connection& connection, const char* sql) {
  Statement statement = connection.prepare(sql);
  return statement.step().value() ? statement.text(0) : "no row";
}

// The file as it rests, changed by another program.
void change_file(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  CHECK(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(database);
}

}  // namespace

TEST_CASE("a first start makes every table of the contract") {
  Store store;
  for (const char* table :
       {"users", "releases", "manifests", "latest_manifests", "data_keys", "secrets", "secret_versions", "deployments",
        "schemas", "configurations", "configuration_versions", "rendered_quadlets", "sessions", "time_mark", "audit",
        "audit_chain", "deployment_secrets", "new_key_file"}) {
    INFO(table);
    Statement statement =
        store.database().reader().prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1");
    REQUIRE(statement.bind(1, table).step().value());
    CHECK(statement.integer(0) == 1);
  }
  for (const char* index : {"idx_users_tailscale_id", "idx_users_tailnet", "idx_release_user_version",
                            "idx_release_user", "idx_session_user", "idx_session_expiry"}) {
    INFO(index);
    Statement statement =
        store.database().reader().prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?1");
    REQUIRE(statement.bind(1, index).step().value());
    CHECK(statement.integer(0) == 1);
  }
  CHECK(store.number("PRAGMA user_version") == newest_schema());
}

TEST_CASE("a database opens again with what was in it") {
  Store store;
  store.add_user(kAlice);
  store.close();
  store.open();
  CHECK(store.number("SELECT count(*) FROM users") == 1);
  CHECK(store.number("PRAGMA user_version") == newest_schema());
}

TEST_CASE("folder and files are closed to others, the write-ahead log too, whatever the umask") {
  const mode_t old_mask = umask(0);
  Store store;
  store.add_user(kAlice);
  umask(old_mask);
  CHECK(mode_of(store.state()) == 0700);
  for (const char* name : {"leger.db", "leger.db-wal", "leger.db-shm", "lock"}) {
    INFO(name);
    CHECK(mode_of(store.file(name)) == 0600);
  }
}

TEST_CASE("rights that others were given meanwhile are taken away at the next start") {
  Store store;
  store.close();
  REQUIRE(chmod(store.state().c_str(), 0755) == 0);
  REQUIRE(chmod(store.file("leger.db").c_str(), 0666) == 0);
  REQUIRE(chmod(store.file("lock").c_str(), 0644) == 0);
  std::ofstream(store.file("leger.db-wal")) << "";
  REQUIRE(chmod(store.file("leger.db-wal").c_str(), 0644) == 0);
  store.open();
  CHECK(mode_of(store.state()) == 0700);
  CHECK(mode_of(store.file("leger.db")) == 0600);
  CHECK(mode_of(store.file("leger.db-wal")) == 0600);
  CHECK(mode_of(store.file("lock")) == 0600);
}

TEST_CASE("missing folders above the state folder are made closed") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  REQUIRE(Database::open(loop, folder / "a/b/./c/").has_value());
  CHECK(mode_of(folder / "a") == 0700);
  CHECK(mode_of(folder / "a/b/c") == 0700);
}

TEST_CASE("a state folder that others can write to is refused and left as it is") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  for (const mode_t mode : {0770, 0707, 01777}) {
    REQUIRE(chmod(folder.path().c_str(), mode) == 0);
    CHECK(refusal(loop, folder.path()).message.find(folder.path()) != std::string::npos);
    CHECK(mode_of(folder.path()) == mode);
  }
}

TEST_CASE("a state folder of another account is refused") {
  if (geteuid() != 0) {
    MESSAGE("SKIPPED: only root can give a folder away");
    return;
  }
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  REQUIRE(chown(folder.path().c_str(), 12345, 12345) == 0);
  CHECK(refusal(loop, folder.path()).message.find("another account") != std::string::npos);
}

TEST_CASE("a file in the place of the state folder is an error that names it") {
  FakeClock clock;
  Loop loop(clock);
  const TemporaryFolder folder;
  std::ofstream(folder / "state") << "x";
  const auto inside = Database::open(loop, folder / "state/deeper");
  REQUIRE_FALSE(inside.has_value());
  CHECK(inside.error().message.find(folder / "state") != std::string::npos);
  const auto itself = Database::open(loop, folder / "state");
  REQUIRE_FALSE(itself.has_value());
  CHECK(itself.error().message.find(folder / "state") != std::string::npos);
}

TEST_CASE("links, folders and FIFOs in the place of the files are refused") {
  FakeClock clock;
  Loop loop(clock);
  for (const std::string name : {"leger.db", "lock", "leger.db-wal"}) {
    INFO(name);
    const TemporaryFolder link;
    REQUIRE(symlink("/dev/null", (link / name).c_str()) == 0);
    CHECK(refusal(loop, link.path()).message.find("symbolic link") != std::string::npos);
    const TemporaryFolder fifo;
    REQUIRE(mkfifo((fifo / name).c_str(), 0600) == 0);
    CHECK(refusal(loop, fifo.path()).message.find("not a regular file") != std::string::npos);
    const TemporaryFolder folder;
    REQUIRE(mkdir((folder / name).c_str(), 0700) == 0);
    CHECK_FALSE(Database::open(loop, folder.path()).has_value());
  }
}

TEST_CASE("a second process on the same folder is refused, and let in once the first is gone") {
  Store store;
  const Error error = refusal(store.loop(), store.state());
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find(store.state()) != std::string::npos);
  CHECK(error.message.find("another legerd") != std::string::npos);
  store.close();
  store.open();
}

TEST_CASE("a newer schema is refused, says to upgrade, and is not touched") {
  Store store;
  store.close();
  change_file(store.file("leger.db"), ("PRAGMA user_version = " + std::to_string(newest_schema() + 1)).c_str());
  const std::string before = content_of(store.file("leger.db"));
  const Error error = refusal(store.loop(), store.state());
  CHECK(error.message.find("schema " + std::to_string(newest_schema() + 1)) != std::string::npos);
  CHECK(error.action.find("pgrade legerd") != std::string::npos);
  CHECK(content_of(store.file("leger.db")) == before);
}

TEST_CASE("a database of another program is refused and not touched") {
  FakeClock clock;
  Loop loop(clock);
  for (const char* sql : {"CREATE TABLE notes (text)", "PRAGMA application_id = 7; CREATE TABLE t (x)",
                          "PRAGMA user_version = 1", "PRAGMA application_id = 1279608658; PRAGMA user_version = -3"}) {
    const TemporaryFolder folder;
    change_file(folder / "leger.db", sql);
    const std::string before = content_of(folder / "leger.db");
    CHECK(refusal(loop, folder.path()).message.find("no database of Leger") != std::string::npos);
    CHECK(content_of(folder / "leger.db") == before);
  }
}

TEST_CASE("a file of garbage is refused cleanly and not touched") {
  FakeClock clock;
  Loop loop(clock);
  for (const std::string& garbage :
       {std::string("x"), std::string(100, '\0'), std::string(8192, 'g'), "SQLite format 3" + std::string(5000, 'x')}) {
    const TemporaryFolder folder;
    std::ofstream(folder / "leger.db", std::ios::binary) << garbage;
    const auto database = Database::open(loop, folder.path());
    CHECK_FALSE(database.has_value());
    CHECK(content_of(folder / "leger.db") == garbage);
  }
}

TEST_CASE("a database that was cut or scribbled upon opens or is refused, and never crashes") {
  Store store;
  store.add_user(kAlice);
  SqliteSecrets secrets(store.database());
  store.add_key(1);
  for (std::uint64_t i = 0; i < 20; ++i) {
    PutSecret put{
        .user_uuid = kAlice, .name = "s" + std::to_string(i), .now = kNow, .if_version = {}, .audit = {}, .seal = {}};
    put.seal = [i](std::uint64_t) -> Result<SealedValue> { return sealed_value(i); };
    REQUIRE(store.run(secrets.put(put)).has_value());
  }
  store.close();
  const std::string whole = content_of(store.file("leger.db"));
  std::mt19937 random(20261122);  // NOLINT(cert-msc51-cpp): the same edits in each run
  for (int round = 0; round < 100; ++round) {
    const TemporaryFolder folder;
    std::string bytes = whole;
    if (round % 10 == 0) bytes.resize(random() % bytes.size());
    for (int edit = 0; edit < 1 + round; ++edit) bytes[random() % bytes.size()] = static_cast<char>(random());
    std::ofstream(folder / "leger.db", std::ios::binary) << bytes;
    auto database = Database::open(store.loop(), folder.path());
    if (!database) continue;
    SqliteSecrets edited(**database);
    ignore(edited.list(kAlice, "", 100));
    for (int i = 0; i < 20; ++i) ignore(edited.get(kAlice, "s" + std::to_string(i), std::nullopt));
    ignore(store.run(edited.remove(kAlice, "s1", kLater, {})));
  }
}

TEST_CASE("both connections have the settings of threats T43") {
  Store store;
  const auto check = [](Connection& connection) {
    CHECK(setting(connection, "PRAGMA trusted_schema") == "0");
    CHECK(setting(connection, "PRAGMA foreign_keys") == "1");
    CHECK(setting(connection, "PRAGMA cell_size_check") == "1");
    CHECK(setting(connection, "PRAGMA secure_delete") == "1");
    CHECK(setting(connection, "PRAGMA synchronous") == "2");
    CHECK(setting(connection, "PRAGMA journal_mode") == "wal");
    // The defensive flag shows in what it forbids: writing to the schema.
    ignore(connection.execute("PRAGMA writable_schema = ON"));
    CHECK_FALSE(connection.execute("UPDATE sqlite_schema SET sql = sql").has_value());
    return Result<void>{};
  };
  CHECK(store.write(check).has_value());
  CHECK(check(store.database().reader()).has_value());
  CHECK(store
            .write([](Connection& connection) {
              CHECK(setting(connection, "PRAGMA busy_timeout") == "5000");
              return Result<void>{};
            })
            .has_value());
  CHECK(setting(store.database().reader(), "PRAGMA busy_timeout") == "20");
}

TEST_CASE("the loop's connection cannot write") {
  Store store;
  CHECK_FALSE(store.database().reader().execute("DELETE FROM users").has_value());
}

TEST_CASE("a check goes through both connections") {
  Store store;
  CHECK(store.run(store.database().check()).has_value());
}

TEST_CASE("a check of a writer that hangs is an error after five seconds, and nothing is lost") {
  Store store;
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  tasks.start(store.database().check());
  store.clock().advance(4999);
  store.loop().timers().run_due();
  CHECK(store.loop().live_tasks() == 2);
  store.clock().advance(1);
  store.loop().timers().run_due();
  store.loop().resume_soon(std::noop_coroutine());
  uv_run(store.loop().uv(), UV_RUN_NOWAIT);
  CHECK(store.loop().live_tasks() == 1);
  gate.open();
  const auto results = tasks.finish();
  CHECK(results[0].has_value());
  REQUIRE_FALSE(results[1].has_value());
  CHECK(results[1].error().code == Code::unavailable);
}

TEST_CASE("the schema itself keeps a second owner, a short nonce, a reused nonce and a second live deployment out") {
  Store store;
  store.add_user(kAlice);
  store.add_user(kBob);
  REQUIRE(store.execute("UPDATE users SET is_owner = 1 WHERE user_uuid = '550e8400-e29b-41d4-a716-446655440000'")
              .has_value());
  REQUIRE(store.execute("INSERT INTO data_keys VALUES (1, zeroblob(12), zeroblob(32), zeroblob(16), 't', 'secrets', 0)")
              .has_value());
  REQUIRE(store.execute("INSERT INTO secrets VALUES ('s', '550e8400-e29b-41d4-a716-446655440000', 'n', 1, 't', NULL)")
              .has_value());
  REQUIRE(
      store.execute("INSERT INTO secret_versions VALUES ('s', 1, 't', 1, 2, zeroblob(12), zeroblob(16), zeroblob(5))")
          .has_value());
  REQUIRE(
      store
          .execute(
              "INSERT INTO deployments VALUES (NULL, 'a', '550e8400-e29b-41d4-a716-446655440000', 'app', 1, 'install',"
              " 'deployed', 't', 't', '', '', '', 1, 0)")
          .has_value());
  for (const char* sql :
       {"UPDATE users SET is_owner = 1",
        "UPDATE users SET is_owner = 2",
        "INSERT INTO data_keys VALUES (2, zeroblob(11), zeroblob(32), zeroblob(16), 't', 'secrets', 0)",
        "INSERT INTO data_keys VALUES (2, zeroblob(12), zeroblob(16), zeroblob(16), 't', 'secrets', 0)",
        "INSERT INTO data_keys VALUES (2, zeroblob(12), zeroblob(32), zeroblob(12), 't', 'secrets', 0)",
        "INSERT INTO data_keys VALUES (2, NULL, zeroblob(32), zeroblob(16), 't', 'secrets', 0)",
        "DELETE FROM data_keys",
        "INSERT INTO data_keys VALUES (2, zeroblob(12), zeroblob(32), zeroblob(16), 't', 'other', 0)",
        "INSERT INTO data_keys VALUES (2, zeroblob(12), zeroblob(32), zeroblob(16), 't', NULL, 0)",
        "INSERT INTO audit_chain VALUES (2, 1, zeroblob(32), 0, zeroblob(32), 0)",
        "INSERT INTO audit_chain VALUES (1, 1, zeroblob(32), 0, zeroblob(32), 0)",
        "INSERT INTO audit VALUES (1, 't', '', '', '', '', NULL, '', '', 1, zeroblob(31))",
        "INSERT INTO audit VALUES (0, 't', '', '', '', '', NULL, '', '', 1, zeroblob(32))",
        "INSERT INTO deployment_secrets VALUES ('none', 'a', 1)",
        "UPDATE deployments SET kept = 2",
        "INSERT INTO new_key_file VALUES (2, '/')",
        "INSERT INTO time_mark VALUES (2, 5)",
        "INSERT INTO time_mark VALUES (1, 5)",
        "UPDATE time_mark SET seconds = -1",
        "INSERT INTO sessions VALUES ('s', 'nobody', '', '', '', 't', 't')",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 1, 2, zeroblob(12), zeroblob(16), zeroblob(5))",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 1, 2, randomblob(12), zeroblob(16), zeroblob(0))",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 1, 2, randomblob(12), zeroblob(16), zeroblob(512000))",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 1, 2, randomblob(12), zeroblob(15), zeroblob(5))",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 9, 2, randomblob(12), zeroblob(16), zeroblob(5))",
        "INSERT INTO secret_versions VALUES ('s', 2, 't', 1, 2, 'text of 12 b', zeroblob(16), zeroblob(5))",
        R"(INSERT INTO deployments VALUES (NULL, 'b', '550e8400-e29b-41d4-a716-446655440000', 'app', 2, 'install',
           'deployed', 't', 't', '', '', '', 1, 0))"}) {
    INFO(sql);
    CHECK_FALSE(store.execute(sql).has_value());
  }
}

TEST_CASE("an account that goes takes all that is its own along") {
  Store store;
  store.add_user(kAlice);
  SqliteSecrets secrets(store.database());
  store.add_key(1);
  PutSecret put{.user_uuid = kAlice, .name = "a", .now = kNow, .if_version = {}, .audit = {}, .seal = {}};
  put.seal = [](std::uint64_t) -> Result<SealedValue> { return sealed_value(1); };
  REQUIRE(store.run(secrets.put(put)).has_value());
  REQUIRE(store.execute("DELETE FROM users").has_value());
  CHECK(store.number("SELECT count(*) FROM secret_versions") == 0);
}
