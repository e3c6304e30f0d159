#pragma once

// A vault whose keys are being rotated in the background, beside what the test does.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backend/base/log.h"
#include "backend/service/key_rotation.h"
#include "backend/service/secret_service.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/store.h"
#include "tests/backend/service/values.h"

namespace leger::test {

class Rotating {
 public:
  explicit Rotating(const std::string& folder, std::uint64_t most_seals = KeyRotation::kMostSeals)
      : store(folder),
        audit(store.loop, *store.database),
        vault(store.open_vault().value()),
        rotation(store.loop, quiet_, *store.key_rows, *vault, audit.log, most_seals),
        secrets(*store.secret_rows, *vault, audit.log, 10,
                [this](std::uint64_t seals) { rotation.note_seals(seals); }) {}
  Rotating(const Rotating&) = delete;
  Rotating& operator=(const Rotating&) = delete;
  ~Rotating() {
    rotation.stop();
    store.loop.run_until_idle();
  }

  // Lets the rotation run from here on.
  void start() {
    store.loop.spawn(rotation.run(), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  }
  // Runs the loop until `is_so`.
  void until(const std::function<bool()>& is_so) {
    while (!is_so()) uv_run(store.loop.uv(), UV_RUN_ONCE);
  }
  // The value of a task, while other tasks go on.
  template <class T>
  T run(Task<T> task) {
    auto value = std::make_shared<std::optional<T>>();
    store.loop.spawn(into(std::move(task), value), [](std::exception_ptr problem) { std::rethrow_exception(problem); });
    until([value] { return value->has_value(); });
    return std::move(**value);
  }
  // As Store::execute(), which waits for all tasks.
  void execute(const char* sql) {
    REQUIRE(run(store.database->write([sql](Connection& connection) { return connection.execute(sql); })));
  }
  Result<std::uint32_t> rotate() { return run(rotation.rotate_data_key(at_socket(store.user))); }
  Result<void> rotate_kek(const std::string& file) { return run(rotation.rotate_kek(at_socket(store.user), file)); }
  void until_done() {
    until([this] { return vault->data_key_ids().size() == 1; });
  }

  void set(const std::string& name, const std::string& value) {
    REQUIRE(run(secrets.set(at_socket(store.user), name, Secret(value), std::nullopt)));
  }
  // Sets `number` secrets at once: `s0` to `v0`, and so on.
  void set_many(int number) {
    const std::int64_t before = store.number("SELECT count(*) FROM secret_versions");
    for (int i = 0; i < number; ++i) {
      store.loop.spawn(set_one(secrets, at_socket(store.user), i),
                       [](std::exception_ptr problem) { std::rethrow_exception(problem); });
    }
    until([&] { return store.number("SELECT count(*) FROM secret_versions") == before + number; });
  }
  std::string get(const std::string& name) {
    const auto value = vault->open(store.user, store.stored(name));
    return value ? std::string(value->reveal()) : "error: " + value.error().message;
  }
  // How many of set_many()'s are not what they were set to.
  int wrong_of(int number) {
    int wrong = 0;
    for (int i = 0; i < number; ++i) wrong += get("s" + std::to_string(i)) == "v" + std::to_string(i) ? 0 : 1;
    return wrong;
  }
  std::int64_t rows_of_key(std::uint32_t key_id) {
    Statement statement = store.database->reader().prepare("SELECT count(*) FROM secret_versions WHERE key_id = ?1");
    REQUIRE(statement.bind(1, key_id).step());
    return statement.integer(0);
  }

  Store store;
  Audit audit;
  std::unique_ptr<Vault> vault;

 private:
  template <class T>
  static Task<void> into(Task<T> from, std::shared_ptr<std::optional<T>> to) {
    to->emplace(co_await from);
  }
  static Task<void> set_one(SecretService& secrets, Actor actor, int i) {
    const auto put =
        co_await secrets.set(std::move(actor), "s" + std::to_string(i), Secret("v" + std::to_string(i)), std::nullopt);
    REQUIRE(put);
  }

  Log quiet_{LogLevel::error};

 public:
  KeyRotation rotation;
  SecretService secrets;
};

}  // namespace leger::test
