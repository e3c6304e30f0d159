#pragma once

// What the tests of the vault share: values put under its keys, key files of one's own, and a hand in the database
// that keeps to no rule.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "backend/service/secret_service.h"
#include "backend/store/statement.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/store.h"
#include "tests/quadlets/archives.h"

namespace leger::test {

inline void put(Store& store, const Vault& vault, const std::string& name, const std::string& value) {
  Audit audit(store.loop, *store.database);
  SecretService service(*store.secret_rows, vault, audit.log, 10, [](std::uint64_t) {});
  REQUIRE(run(store.loop, service.set(at_socket(store.user), name, Secret(value), std::nullopt)));
}

inline void replace_key_file(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  write_file(path, bytes);
  REQUIRE(chmod(path.c_str(), 0400) == 0);
}

inline void flip(std::string& bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
}

// Somebody who writes into the database beside legerd: bound by no foreign key and no check, and in no hurry to have
// it on disk.
class Intruder {
 public:
  explicit Intruder(const Store& store)
      : connection_(Connection::open(store.state_dir() + "/leger.db", Connection::Access::read_write).value()) {
    execute("PRAGMA foreign_keys = OFF");
    execute("PRAGMA ignore_check_constraints = ON");
    execute("PRAGMA synchronous = OFF");
  }
  void execute(const std::string& sql) {
    const auto done = connection_->execute(sql.c_str());
    REQUIRE_MESSAGE(done, sql);
  }
  // The bytes of one field, which may be a number's digits.
  std::string read(const std::string& sql) {
    kept_.push_back(std::make_unique<std::string>(sql));  // prepare() keeps a statement by the address of its text
    Statement statement = connection_->prepare(kept_.back()->c_str());
    REQUIRE(statement.step().value());
    return statement.blob(0);
  }

 private:
  std::vector<std::unique_ptr<std::string>> kept_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace leger::test
