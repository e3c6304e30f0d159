#include "tests/daemon/many_secrets.h"

#include <sqlite3.h>

#include <format>
#include <stdexcept>
#include <string>

#include "tests/daemon/running_daemon.h"

namespace leger::test {

std::shared_ptr<TemporaryFolder> folder_with_secrets(std::size_t count) {
  DaemonSettings settings;
  const std::string path = RunningDaemon(settings).config().state_dir + "/leger.db";
  sqlite3* database = nullptr;
  const std::string sql = std::format(
      "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i "
      "FROM n;"
      "INSERT INTO secrets SELECT printf('id-%d', i), (SELECT user_uuid FROM users), printf('name_%059d', i), 1, "
      "'2026-11-22T04:05:06Z', NULL FROM n;"
      "INSERT INTO secret_versions SELECT printf('id-%d', i), 1, '2026-11-22T04:05:06Z', "
      "(SELECT min(key_id) FROM data_keys), 2, CAST(printf('%012d', i) AS BLOB), zeroblob(16), x'00' FROM n",
      count);
  const bool opened = sqlite3_open(path.c_str(), &database) == SQLITE_OK;
  const bool filled = opened && sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  const std::string problem = filled ? "" : sqlite3_errmsg(database);
  sqlite3_close(database);
  if (!filled) throw std::runtime_error("cannot fill " + path + ": " + problem);
  return settings.folder;
}

}  // namespace leger::test
