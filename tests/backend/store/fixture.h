#pragma once

// What the store's tests share: a database in a folder of its own, several tasks at once, and a gate that holds the
// writer so that what is queued meanwhile is one batch.

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/store/audit.h"
#include "backend/store/database.h"
#include "backend/store/keys.h"
#include "backend/store/secrets.h"
#include "backend/store/users.h"
#include "tests/support.h"

namespace leger::test {

inline const std::string kAlice = "550e8400-e29b-41d4-a716-446655440000";
inline const std::string kBob = "6ba7b810-9dad-51d1-80b4-00c04fd430c8";
inline const std::string kNow = "2026-11-22T04:05:06Z";
inline const std::string kLater = "2026-11-22T05:00:00Z";

// Strings that break what builds SQL, counts to NUL, or trusts text to be text.
inline std::vector<std::string> hostile_strings() {
  using namespace std::string_literals;
  return {"'"s,
          "\""s,
          "' OR '1'='1"s,
          "x'); DROP TABLE users; --"s,
          "?1"s,
          "%"s,
          "_"s,
          "\0"s,
          "a\0b"s,
          "\xff\xfe"s,
          "\xed\xa0\x80"s,
          "\n\r"s,
          "\x1b[2J"s,
          "☃ é"s,
          "../../etc"s,
          "{\"a\":[1]}"s,
          "NULL"s,
          "0"s,
          "1e9"s,
          "-1"s,
          ":name"s,
          std::string(1 << 20, 'x')};
}

class Store {
 public:
  Store() { open(); }

  Loop& loop() { return loop_; }
  FakeClock& clock() { return clock_; }
  Database& database() { return *database_; }
  std::string state() const { return folder_ / "state"; }
  std::string file(const std::string& name) const { return state() + "/" + name; }

  void close() { database_.reset(); }
  void open() {
    auto database = Database::open(loop_, state());
    if (!database) throw std::runtime_error(database.error().message);
    database_ = *std::move(database);
  }

  template <class T>
  T run(Task<T> task) {
    return test::run(loop_, std::move(task));
  }
  Result<void> write(Database::Work work) { return run(database_->write(std::move(work))); }
  Result<void> execute(const char* sql) {
    return write([sql](Connection& connection) { return connection.execute(sql); });
  }
  // The number that a question of our own answers.
  std::int64_t number(const char* sql) {
    Statement statement = database_->reader().prepare(sql);
    const auto row = statement.step();
    if (!row) throw std::runtime_error(row.error().message);
    return statement.integer(0);
  }
  void add_user(const std::string& uuid) {
    const auto added = write([uuid](Connection& connection) {
      return connection
          .prepare("INSERT INTO users (user_uuid, tailscale_user_id, tailscale_email, tailnet) VALUES (?1, ?1, '', '')")
          .bind(1, uuid)
          .run();
    });
    if (!added) throw std::runtime_error(added.error().message);
  }
  // A key that secrets can name.
  void add_key(std::uint32_t id) {
    const auto added = write([id](Connection& connection) {
      return connection
          .prepare(
              "INSERT INTO data_keys (key_id, nonce, ciphertext, tag, created_at)"
              " VALUES (?1, zeroblob(12), zeroblob(32), zeroblob(16), '')")
          .bind(1, id)
          .run();
    });
    if (!added) throw std::runtime_error(added.error().message);
  }
  // What the audit has on record, oldest first: a line `action object version` each.
  std::string audit() {
    Statement statement = database_->reader().prepare("SELECT action, object, version FROM audit ORDER BY id");
    std::string lines;
    while (true) {
      const auto row = statement.step();
      if (!row) throw std::runtime_error(row.error().message);
      if (!*row) return lines;
      lines += statement.text(0) + " " + statement.text(1) + " " + statement.text(2) + "\n";
    }
  }
  // Puts records into the chain, by way of the journal.
  Result<void> add_audit(const std::vector<AuditRecord>& records) {
    AuditStore audit(*database_);
    for (const AuditRecord& record : records) audit.gather(record);
    if (auto kept = audit.keep(); !kept) return kept;
    return run(audit.fold());
  }
  AuditVerdict verify() { return run(AuditStore(*database_).verify()).value(); }

 private:
  FakeClock clock_;
  Loop loop_{clock_};
  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
};

// Spawns tasks and keeps their values in order.
template <class T>
class Several {
 public:
  explicit Several(Loop& loop) : loop_(loop) {}
  void start(Task<T> task) {
    values_.push_back(std::make_shared<std::optional<T>>());
    loop_.spawn(into(std::move(task), values_.back()),
                [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  }
  // Runs the loop until all have ended.
  std::vector<T> finish() {
    loop_.run_until_idle();
    std::vector<T> values;
    values.reserve(values_.size());
    for (auto& value : values_) values.push_back(std::move(**value));
    return values;
  }

 private:
  static Task<void> into(Task<T> from, std::shared_ptr<std::optional<T>> to) { to->emplace(co_await from); }

  Loop& loop_;
  std::vector<std::shared_ptr<std::optional<T>>> values_;
};

// Holds the writer inside a job of its own from enter() to open().
class Gate {
 public:
  void enter(Several<Result<void>>& tasks, Database& database) {
    queue(tasks, database);
    await_entry();
  }
  // The two halves of enter().
  void queue(Several<Result<void>>& tasks, Database& database) {
    auto hold = [entered = entered_, opened = opened_.get_future().share()](Connection&) -> Result<void> {
      entered->set_value();
      opened.wait();
      return {};
    };
    tasks.start(database.write(std::move(hold)));
  }
  void await_entry() { entered_->get_future().wait(); }
  void open() { opened_.set_value(); }

 private:
  std::shared_ptr<std::promise<void>> entered_ = std::make_shared<std::promise<void>>();
  std::promise<void> opened_;
};

// For calls of which only what they do counts.
template <class T>
void ignore(const Result<T>&) {}

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A sealed value as the service would make it, told apart by `number`.
inline SealedValue sealed_value(std::uint64_t number) {
  std::string nonce(12, '\0');
  for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<char>(number >> 8 * i & 0xff);
  return {.key_id = 1,
          .encryption_version = 2,
          .nonce = nonce,
          .ciphertext = "ciphertext " + std::to_string(number),
          .tag = std::string(16, 't')};
}

inline AuditRecord audit_record(const std::string& action, const std::string& object) {
  return {.time = kNow,
          .actor = kAlice,
          .source = "100.64.0.7",
          .action = action,
          .object = object,
          .version = std::nullopt,
          .outcome = "ok",
          .request_id = "r1",
          .count = 1};
}

inline WrappedKey wrapped_key(std::uint32_t id) {
  return {.key_id = id,
          .purpose = "secrets",
          .nonce = std::string(12, 'n'),
          .ciphertext = std::string(32, 'c'),
          .tag = std::string(16, 't'),
          .created_at = kNow};
}

}  // namespace leger::test
