#pragma once

// A real database in a folder for tests of the services, with two accounts: the owner and `bob`.

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backend/service/vault.h"
#include "backend/store/database.h"
#include "backend/store/releases.h"
#include "backend/store/secrets.h"
#include "backend/store/users.h"
#include "tests/backend/service/owner.h"
#include "tests/support.h"

namespace leger::test {

class Store {
 public:
  explicit Store(const std::string& folder) : loop(clock), folder_(folder) {
    auto opened = Database::open(loop, folder + "/state");
    REQUIRE(opened);
    database = std::move(*opened);
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
    return run(loop, Vault::open(*secret_rows, {credentials, key_file()}, clock));
  }
  std::string key_file() const { return folder_ + "/leger.kek"; }

  // Runs one statement of a test's own.
  void execute(const char* sql) {
    REQUIRE(run(loop, database->write([sql](Connection& connection) { return connection.execute(sql); })));
  }

  FakeClock clock;
  Loop loop;
  std::unique_ptr<Database> database;
  std::optional<SqliteSecrets> secret_rows;
  std::optional<SqliteReleases> release_rows;
  std::optional<SqliteUsers> user_rows;
  std::string user;

 private:
  std::string folder_;
};

}  // namespace leger::test
