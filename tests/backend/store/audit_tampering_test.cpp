// Edits of the audit by something else than legerd: each is found, and where.

#include <array>
#include <functional>
#include <random>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

constexpr int kFirst = 11;  // kept; those before it were dropped
constexpr int kLast = 60;

// Undone after each look, so that all are edits of the same chain.
class Tampered : public Store {
 public:
  Tampered() {
    add_user(kAlice);
    std::vector<AuditRecord> records;
    for (int i = 1; i <= kLast; ++i) records.push_back(record(i));
    AuditStore audit(database());
    REQUIRE(add_audit(records).has_value());
    REQUIRE(run(audit.drop_before(record(kFirst).time, 1000)).value() == kFirst - 1);
    REQUIRE(verify().first_bad == std::nullopt);
    REQUIRE(execute("CREATE TABLE kept_audit AS SELECT * FROM audit").has_value());
    REQUIRE(execute("CREATE TABLE kept_chain AS SELECT * FROM audit_chain").has_value());
  }

  // The first bad row after `sql`; nothing where it was not found out.
  std::optional<std::uint64_t> first_bad_after(const std::string& sql) {
    INFO(sql);
    REQUIRE(write([sql](Connection& connection) { return connection.execute(sql.c_str()); }).has_value());
    const auto found = verify().first_bad;
    REQUIRE(execute("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept_audit;"
                    "DELETE FROM audit_chain; INSERT INTO audit_chain SELECT * FROM kept_chain")
                .has_value());
    return found;
  }

 private:
  static AuditRecord record(int number) {
    AuditRecord record = audit_record("secret.read", "s" + std::to_string(number));
    record.time = rfc3339(1'790'000'000 + number);
    if (number % 3 != 0) record.version = number;
    record.count = static_cast<std::uint64_t>(number);
    return record;
  }
};

class Edits {
 public:
  struct Edit {
    std::string sql;
    std::uint64_t first_bad = 0;
  };

  Edit next() {
    switch (random_() % 6) {
      case 0:
        return text_edit();
      case 1:
        return number_edit();
      case 2:
        return deletion();
      case 3:
        return swap();
      case 4:
        return cut();
      default:
        return insertion();
    }
  }

 private:
  int row() { return kFirst + static_cast<int>(random_() % (kLast - kFirst + 1)); }
  static std::string at(int row) { return " WHERE id = " + std::to_string(row); }

  Edit text_edit() {
    constexpr std::array kColumns{"time", "actor", "source", "action", "object", "outcome", "request_id"};
    constexpr std::array kValues{" || 'x'", " || char(0)", " || ' '", " COLLATE NOCASE || 'é'"};
    const std::string column = kColumns.at(random_() % kColumns.size());
    const int edited = row();
    if (random_() % 8 == 0) return {"UPDATE audit SET " + column + " = ''" + at(edited), as_id(edited)};
    return {"UPDATE audit SET " + column + " = " + column + kValues.at(random_() % kValues.size()) + at(edited),
            as_id(edited)};
  }
  Edit number_edit() {
    constexpr std::array kChanges{"version = coalesce(version + 1, 0)", "version = iif(version IS NULL, 0, NULL)",
                                  "count = count + 1", "hash = randomblob(32)",
                                  "source = source || object, object = ''"};
    const int edited = row();
    return {std::string("UPDATE audit SET ") + kChanges.at(random_() % kChanges.size()) + at(edited), as_id(edited)};
  }
  Edit deletion() {
    const int deleted = row();
    return {"DELETE FROM audit" + at(deleted), as_id(deleted)};
  }
  // The contents of two rows, each under the other's number.
  Edit swap() {
    const int one = row();
    int other = row();
    while (other == one) other = row();
    const std::string a = std::to_string(one);
    const std::string b = std::to_string(other);
    return {"UPDATE audit SET id = -1" + at(one) + "; UPDATE audit SET id = " + a + at(other) +
                "; UPDATE audit SET id = " + b + at(-1),
            as_id(std::min(one, other))};
  }
  Edit cut() {
    const int from = row();
    return {"DELETE FROM audit WHERE id >= " + std::to_string(from), as_id(from)};
  }
  // A copy of another row, those from there on moved up by one.
  Edit insertion() {
    const int copied = row();
    const int there = row() + 1;
    const std::string at = std::to_string(there);
    // Before itself it is as it was; the second one is the bad one.
    const int bad = copied == there ? there + 1 : there;
    return {"CREATE TEMP TABLE copy AS SELECT * FROM audit" + Edits::at(copied) + "; UPDATE copy SET id = " + at +
                "; UPDATE audit SET id = id + 1000 WHERE id >= " + at +
                "; UPDATE audit SET id = id - 999 WHERE id > 1000; INSERT INTO audit SELECT * FROM copy;"
                " DROP TABLE copy",
            as_id(bad)};
  }
  static std::uint64_t as_id(int row) { return static_cast<std::uint64_t>(row); }

  std::mt19937 random_{20261122};  // NOLINT(cert-msc51-cpp): the same edits in each run
};

}  // namespace

TEST_CASE("a thousand edits of the audit are found, each at the row where it begins") {
  Tampered store;
  REQUIRE(store.execute("PRAGMA ignore_check_constraints = ON").has_value());
  Edits edits;
  for (int i = 0; i < 1000; ++i) {
    const Edits::Edit edit = edits.next();
    INFO(edit.sql);
    REQUIRE(store.first_bad_after(edit.sql) == std::optional(edit.first_bad));
  }
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("an edit of what the audit knows of its own ends is found") {
  Tampered store;
  const std::vector<Edits::Edit> edits{
      {"UPDATE audit_chain SET first_id = first_id - 1", kFirst - 1},
      {"UPDATE audit_chain SET first_id = first_id + 1", kFirst},
      {"UPDATE audit_chain SET hash_before_first = randomblob(32)", kFirst},
      {"UPDATE audit_chain SET last_id = last_id - 1", kLast},
      {"UPDATE audit_chain SET last_id = last_id + 1", kLast + 1},
      {"UPDATE audit_chain SET last_hash = randomblob(32)", kLast},
      {"INSERT INTO audit SELECT 3, time, actor, source, action, object, version, outcome, request_id, count, hash"
       " FROM audit WHERE id = 20",
       3},
      {"DELETE FROM audit", kFirst},
      {"DELETE FROM audit; UPDATE audit_chain SET first_id = last_id + 1", kLast + 1},
      {"DELETE FROM audit; UPDATE audit_chain SET first_id = last_id + 2, hash_before_first = last_hash", kLast + 2},
      // A row at the end that is bound to nothing, and a tail that was cut off with the end moved.
      {"INSERT INTO audit SELECT 61, time, actor, source, action, object, version, outcome, request_id, count, hash"
       " FROM audit WHERE id = 60",
       kLast + 1},
      {"DELETE FROM audit WHERE id > 50; UPDATE audit_chain SET last_id = 50", 50}};
  for (const Edits::Edit& edit : edits) {
    INFO(edit.sql);
    CHECK(store.first_bad_after(edit.sql) == std::optional(edit.first_bad));
  }
}

TEST_CASE("an audit without its record of its ends takes no row, and cannot be verified") {
  Tampered store;
  REQUIRE(store.execute("DELETE FROM audit_chain; DELETE FROM audit").has_value());
  AuditStore audit(store.database());
  const auto added = store.add_audit({audit_record("a", "b")});
  REQUIRE_FALSE(added.has_value());
  CHECK_FALSE(added.error().action.empty());
  CHECK(store.number("SELECT count(*) FROM audit") == 0);
  CHECK_FALSE(store.run(audit.verify()).has_value());
}
