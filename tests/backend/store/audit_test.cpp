#include "backend/store/audit.h"

#include <algorithm>

#include "backend/base/text.h"
#include "backend/store/audit_chain.h"
#include "tests/backend/store/fixture.h"
#include "tests/backend/store/statement_counts.h"

using namespace leger;
using namespace leger::test;

namespace {

struct AuditedStore : Store {
  AuditedStore() { add_user(kAlice); }

  Result<void> add(const std::vector<AuditRecord>& records) { return add_audit(records); }
  // `count` rows, told apart by their objects and times.
  void fill(int count) {
    std::vector<AuditRecord> records;
    for (int i = 1; i <= count; ++i) records.push_back(numbered(i));
    REQUIRE(add(records).has_value());
  }
  static AuditRecord numbered(int number) {
    AuditRecord record = audit_record("secret.read", "s" + std::to_string(number));
    record.time = time_of(number);
    record.version = number;
    return record;
  }
  static std::string time_of(int number) { return rfc3339(1'790'000'000 + number); }
  AuditPage list(const AuditQuery& query) { return AuditStore(database()).list(query).value(); }
  std::string ids(const AuditQuery& query) {
    std::string joined;
    const AuditPage page = list(query);
    for (const AuditEntry& entry : page.entries) joined += std::to_string(entry.id) + " ";
    return joined + "next " + (page.next ? std::to_string(*page.next) : "none");
  }
  std::uint64_t drop_before(const std::string& time, std::uint32_t most) {
    AuditStore store(database());
    return run(store.drop_before(time, most)).value();
  }
};

}  // namespace

TEST_CASE("the hash of a row is SHA-256 over the hash before, its number and every field, with their lengths") {
  const AuditRecord record{.time = "t",
                           .actor = "a",
                           .source = "s",
                           .action = "x",
                           .object = "o",
                           .version = 258,
                           .outcome = "ok",
                           .request_id = "",
                           .count = 3};
  // Made with Python's hashlib from the description in audit_chain.h.
  CHECK(hex_encode(audit_hash(std::string(32, '\1'), 7, record)) ==
        "0c6d9a8da034662f7597d25fb4ee848547102ca6f9377d4877890b6449367117");
  AuditRecord without = record;
  without.version = std::nullopt;
  CHECK(hex_encode(audit_hash(std::string(32, '\1'), 7, without)) ==
        "16eac2b16e7bb3af7a4bfa53737119c4241b3c92ebee03c466a2c9dd9cdcaf15");
  without.version = 0;
  CHECK(hex_encode(audit_hash(std::string(32, '\1'), 7, without)) ==
        "f9005c35b5fff80987b803a860674b8034cb6136825c6b424fce5be96514438a");
}

TEST_CASE("a row comes back whole, with the login name that its actor has today") {
  AuditedStore store;
  REQUIRE(store.execute("UPDATE users SET tailscale_email = 'alice@example.com'").has_value());
  AuditRecord record = audit_record("secret.read", "test_key");
  record.version = 5;
  record.outcome = "unavailable";
  record.count = 12;
  AuditRecord stranger = audit_record("sign_in", "");
  stranger.actor = "";
  REQUIRE(store.add({record, stranger}).has_value());
  const AuditPage page = store.list({});
  REQUIRE(page.entries.size() == 2);
  CHECK(page.next == std::nullopt);
  CHECK(page.entries[0].id == 2);
  CHECK(page.entries[0].actor_name.empty());
  CHECK(page.entries[0].record.version == std::nullopt);
  CHECK(page.entries[0].record.count == 1);
  const AuditEntry& entry = page.entries[1];
  CHECK(entry.id == 1);
  CHECK(entry.actor_name == "alice@example.com");
  CHECK(entry.record.time == kNow);
  CHECK(entry.record.actor == kAlice);
  CHECK(entry.record.source == "100.64.0.7");
  CHECK(entry.record.action == "secret.read");
  CHECK(entry.record.object == "test_key");
  CHECK(entry.record.version == std::optional<std::uint64_t>(5));
  CHECK(entry.record.outcome == "unavailable");
  CHECK(entry.record.request_id == "r1");
  CHECK(entry.record.count == 12);
}

TEST_CASE("the list is newest first, by actor, object and action where asked, in pages") {
  AuditedStore store;
  for (int i = 1; i <= 9; ++i) {
    AuditRecord record = audit_record(i % 2 == 0 ? "secret.read" : "secret.set", i % 3 == 0 ? "c" : "a");
    record.actor = i % 4 == 0 ? kBob : kAlice;
    REQUIRE(store.add({record}).has_value());
  }
  CHECK(store.ids({}) == "9 8 7 6 5 4 3 2 1 next none");
  CHECK(store.ids({.limit = 9}) == "9 8 7 6 5 4 3 2 1 next none");
  CHECK(store.ids({.limit = 4}) == "9 8 7 6 next 6");
  CHECK(store.ids({.before = 6, .limit = 4}) == "5 4 3 2 next 2");
  CHECK(store.ids({.before = 2, .limit = 4}) == "1 next none");
  CHECK(store.ids({.before = 1}) == "next none");
  CHECK(store.ids({.before = UINT64_MAX, .limit = 1}) == "9 next 9");
  CHECK(store.ids({.limit = 0}) == "9 next 9");
  CHECK(store.ids({.actor = kBob}) == "8 4 next none");
  CHECK(store.ids({.object = "c"}) == "9 6 3 next none");
  CHECK(store.ids({.action = "secret.read"}) == "8 6 4 2 next none");
  CHECK(store.ids({.actor = kAlice, .object = "c", .action = "secret.read"}) == "6 next none");
  CHECK(store.ids({.actor = kBob, .limit = 1}) == "8 next 8");
  CHECK(store.ids({.actor = "nobody"}) == "next none");
}

TEST_CASE("an empty audit has an empty list and a whole chain") {
  AuditedStore store;
  CHECK(store.ids({}) == "next none");
  CHECK(store.ids({.before = 5}) == "next none");
  const AuditVerdict verdict = store.verify();
  CHECK(verdict.entries == 0);
  CHECK(verdict.first_bad == std::nullopt);
  REQUIRE(store.add({}).has_value());
  CHECK(store.number("SELECT count(*) FROM audit") == 0);
}

TEST_CASE("one question looks at ten thousand rows, and says where to go on") {
  const StatementWatch watch;
  AuditedStore store;
  for (int i = 0; i < 5; ++i) store.fill(5'000);
  watch.counts();
  CHECK(store.ids({.object = "s1"}) == "20001 15001 next 15001");
  const StatementCounts counts = watch.counts();
  CHECK(counts.sorts == 0);
  CHECK(counts.automatic_indices == 0);
  CHECK(counts.machine_steps < 10'000 * 30);
  CHECK(store.ids({.object = "s1", .before = 15'001}) == "10001 5001 next 5001");
  CHECK(store.ids({.object = "s1", .before = 5'001}) == "1 next none");
  CHECK(store.ids({.object = "none"}) == "next 15001");
}

TEST_CASE("records of changes and of the journal make one chain without a gap") {
  AuditedStore store;
  AuditStore audit(store.database());
  Several<Result<void>> tasks(store.loop());
  for (int i = 1; i <= 100; ++i) {
    if (i % 3 == 0) {
      audit.gather(AuditedStore::numbered(i));
    } else {
      tasks.start(store.database().write(
          [i](Connection& connection) { return append_audit(connection, AuditedStore::numbered(i)); }));
    }
  }
  REQUIRE(audit.keep().has_value());
  tasks.start(audit.fold());
  for (const auto& result : tasks.finish()) CHECK(result.has_value());
  CHECK(store.number("SELECT count(*) FROM audit") == 100);
  CHECK(store.number("SELECT max(id) FROM audit") == 100);
  const AuditVerdict verdict = store.verify();
  CHECK(verdict.entries == 100);
  CHECK(verdict.first_bad == std::nullopt);
}

TEST_CASE("a change that is undone takes its record along and leaves no gap") {
  AuditedStore store;
  store.fill(2);
  Several<Result<void>> tasks(store.loop());
  Gate gate;
  gate.enter(tasks, store.database());
  const auto append = [](int number) {
    return [number](Connection& connection) { return append_audit(connection, AuditedStore::numbered(number)); };
  };
  tasks.start(store.database().write(append(3)));
  tasks.start(store.database().write([](Connection& connection) -> Result<void> {
    if (auto added = append_audit(connection, audit_record("undone", "x")); !added) return added;
    return Fail({Code::conflict, "changed its mind", {}, {}});
  }));
  tasks.start(store.database().write(append(4)));
  gate.open();
  CHECK_FALSE(tasks.finish()[2].has_value());
  CHECK(store.ids({}) == "4 3 2 1 next none");
  CHECK(store.ids({.action = "undone"}) == "next none");
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("a batch with one record that cannot be written has none of them") {
  AuditedStore store;
  AuditRecord odd = AuditedStore::numbered(2);
  odd.count = 0;
  CHECK_FALSE(store.add({AuditedStore::numbered(1), odd, AuditedStore::numbered(3)}).has_value());
  CHECK(store.number("SELECT count(*) FROM audit") == 0);
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("the oldest rows are dropped up to the first that is not too old, and the chain starts at the next") {
  AuditedStore store;
  store.fill(10);
  CHECK(store.drop_before(AuditedStore::time_of(1), 100) == 0);
  CHECK(store.drop_before(AuditedStore::time_of(6), 2) == 2);
  CHECK(store.ids({}) == "10 9 8 7 6 5 4 3 next none");
  CHECK(store.ids({.limit = 7}) == "10 9 8 7 6 5 4 next 4");
  CHECK(store.verify().entries == 8);
  CHECK(store.verify().first_bad == std::nullopt);
  CHECK(store.drop_before(AuditedStore::time_of(6), 100) == 3);
  CHECK(store.verify().first_bad == std::nullopt);
  // A clock that was set back: what is behind a newer row waits for it.
  REQUIRE(store.add({AuditedStore::numbered(1)}).has_value());
  CHECK(store.drop_before(AuditedStore::time_of(9), 100) == 3);
  CHECK(store.ids({}) == "11 10 9 next none");
  CHECK(store.drop_before(AuditedStore::time_of(100), 100) == 3);
  CHECK(store.verify().entries == 0);
  CHECK(store.verify().first_bad == std::nullopt);
  CHECK(store.drop_before(AuditedStore::time_of(100), 100) == 0);
  store.fill(2);
  CHECK(store.ids({}) == "13 12 next none");
  CHECK(store.verify().entries == 2);
  CHECK(store.verify().first_bad == std::nullopt);
  store.close();
  store.open();
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("hostile texts in every field of a record are kept as they are, and the chain holds") {
  AuditedStore store;
  const auto texts = hostile_strings();
  for (const std::string& text : texts) {
    AuditRecord record = audit_record(text, text);
    record.time = record.actor = record.source = record.outcome = record.request_id = text;
    REQUIRE(store.add({record}).has_value());
    const AuditPage page = store.list({.actor = text, .object = text, .action = text, .limit = 1});
    REQUIRE(page.entries.size() == 1);
    const AuditRecord& got = page.entries.front().record;
    for (const std::string* part :
         {&got.time, &got.actor, &got.source, &got.action, &got.object, &got.outcome, &got.request_id}) {
      CHECK(*part == text);
    }
  }
  CHECK(store.number("SELECT count(*) FROM audit") == static_cast<std::int64_t>(texts.size()));
  CHECK(store.verify().first_bad == std::nullopt);
  ignore(AuditStore(store.database()).list({}));
  for (const std::string& text : texts) CHECK(store.drop_before(text, 0) == 0);
  CHECK(store.number("SELECT count(*) FROM users") == 1);
}

TEST_CASE("numbers as large as they get are kept and hashed") {
  AuditedStore store;
  AuditRecord record = audit_record("a", "b");
  record.version = INT64_MAX;
  record.count = INT64_MAX;
  REQUIRE(store.add({record}).has_value());
  const AuditRecord got = store.list({}).entries.front().record;
  CHECK(got.version == std::optional<std::uint64_t>(INT64_MAX));
  CHECK(got.count == INT64_MAX);
  CHECK(store.verify().first_bad == std::nullopt);
}
