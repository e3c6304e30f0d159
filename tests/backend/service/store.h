#pragma once

// A real database in a folder for tests of the services, with two accounts: the owner and `bob`.

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backend/service/vault.h"
#include "backend/store/database.h"
#include "backend/store/keys.h"
#include "backend/store/releases.h"
#include "backend/store/secrets.h"
#include "backend/store/users.h"
#include "tests/backend/service/owner.h"
#include "tests/support.h"

namespace leger::test {

class Store {
 public:
  explicit Store(const std::string& folder) : loop(clock), folder_(folder) {
    auto opened = Database::open(loop, state_dir());
    REQUIRE(opened);
    database = std::move(*opened);
    key_rows.emplace(*database);
    secret_rows.emplace(*database);
    release_rows.emplace(*database);
    user_rows.emplace(*database);
    user = make_owner(loop, *user_rows, folder);
    execute(
        "INSERT OR IGNORE INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet) "
        "VALUES ('bob', '7', 'bob@host', 'host')");
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    database.reset();
    loop.run_until_idle();
  }

  Result<std::unique_ptr<Vault>> open_vault(const std::string& credentials = {}) {
    return run(loop, Vault::open(*key_rows, {credentials, key_file(), state_dir()}, clock));
  }
  std::string state_dir() const { return folder_ + "/state"; }
  std::string key_file() const { return folder_ + "/leger.kek"; }
  StoredSecret stored(const std::string& name) {
    auto row = secret_rows->get(user, name, std::nullopt);
    REQUIRE(row);
    return *row;
  }
  // What a question of a test's own counts.
  std::int64_t number(const char* sql) {
    Statement statement = database->reader().prepare(sql);
    REQUIRE(statement.step());
    return statement.integer(0);
  }

  // Runs one statement of a test's own.
  void execute(const char* sql) {
    REQUIRE(run(loop, database->write([sql](Connection& connection) { return connection.execute(sql); })));
  }

  FakeClock clock;
  Loop loop;
  std::unique_ptr<Database> database;
  std::optional<KeyStore> key_rows;
  std::optional<SqliteSecrets> secret_rows;
  std::optional<SqliteReleases> release_rows;
  std::optional<SqliteUsers> user_rows;
  std::string user;

 private:
  std::string folder_;
};

}  // namespace leger::test
