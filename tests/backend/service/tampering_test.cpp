// Stored rows that somebody changed (threats T27, T28): nothing of them passes for what was sealed.

#include <doctest/doctest.h>

#include <format>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "tests/backend/service/values.h"

namespace leger {
namespace {

using test::flip;
using test::Intruder;
using test::put;
using test::read_file;
using test::Store;
using test::TemporaryFolder;

std::string name_of_row(int row) { return "secret" + std::to_string(row); }
std::string value_of_row(int row) { return "value of " + std::to_string(row); }

// A vault with rows of one version each.
struct Rows {
  explicit Rows(int number) : store(folder.path()), vault(store.open_vault().value()), intruder(store) {
    for (int row = 0; row < number; ++row) put(store, *vault, name_of_row(row), value_of_row(row));
  }
  Result<std::string> read(int row) {
    // One that has read nothing yet, so that it reads what is there now.
    const auto stored = SqliteSecrets(*store.database).get(store.user, name_of_row(row), std::nullopt);
    if (!stored) return Fail(stored.error());
    const auto value = vault->open(store.user, *stored);
    if (!value) return Fail(value.error());
    return std::string(value->reveal());
  }
  bool is_whole(int row) { return read(row) == value_of_row(row); }
  // By the name of the row, and without the value.
  bool is_refused(int row) {
    const auto got = read(row);
    if (got) return false;
    const Error& error = got.error();
    return error.code == Code::internal_error && error.message.contains("\"" + name_of_row(row) + "\"") &&
           !(error.message + error.action + error.details).contains("value of");
  }

  TemporaryFolder folder;
  Store store;
  std::unique_ptr<Vault> vault;
  Intruder intruder;
};

struct Field {
  const char* column;
  std::string SealedValue::* bytes;
};

std::string of_version(int row) {
  return " WHERE secret_id = (SELECT secret_id FROM secrets WHERE name = '" + name_of_row(row) + "')";
}

// `bytes` as SQL.
std::string literal(const std::string& bytes, const char* type) {
  return "CAST(x'" + hex_encode(bytes) + "' AS " + type + ")";
}

// Gives the row of `to` the columns of what was stored as `from`'s.
void set_columns(Intruder& intruder, const std::vector<Field>& fields, const StoredSecret& from, int to) {
  std::string sql;
  for (const Field& field : fields) {
    sql += std::string(sql.empty() ? "" : ", ") + field.column + " = " + literal(from.value.*field.bytes, "BLOB");
  }
  intruder.execute("UPDATE secret_versions SET " + sql + of_version(to));
}

constexpr Field kNonce{"nonce", &SealedValue::nonce};
constexpr Field kCiphertext{"ciphertext", &SealedValue::ciphertext};
constexpr Field kTag{"tag", &SealedValue::tag};

// `a` first gets a nonce that no row has: none may stand twice, not even meanwhile.
void swap(Intruder& intruder, const std::vector<Field>& fields, const std::vector<StoredSecret>& stored, int a, int b) {
  const StoredSecret& first = stored[static_cast<std::size_t>(a)];
  const StoredSecret& second = stored[static_cast<std::size_t>(b)];
  const bool with_nonce = fields.front().column == std::string_view(kNonce.column);
  if (with_nonce) intruder.execute("UPDATE secret_versions SET nonce = zeroblob(11)" + of_version(a));
  set_columns(intruder, fields, first, b);
  set_columns(intruder, fields, second, a);
}

void restore(Intruder& intruder, const std::vector<StoredSecret>& stored, int a, int b) {
  intruder.execute("UPDATE secret_versions SET nonce = zeroblob(11)" + of_version(a));
  set_columns(intruder, {kNonce, kCiphertext, kTag}, stored[static_cast<std::size_t>(b)], b);
  set_columns(intruder, {kNonce, kCiphertext, kTag}, stored[static_cast<std::size_t>(a)], a);
}

// A column of a table whose bits are turned one after the other.
struct Column {
  const char* table;
  const char* name;
  const char* type;
  std::size_t number_bits = 0;  // how wide a number is; 0: bytes
};

// Finds the row by what does not change, since `where` may not find it any more: by its rowid, which the number of a
// key is, or where there is none by another of its columns that no other row has the same of.
std::string stays(Intruder& intruder, const Column& column, const std::string& where) {
  const std::string table = column.table;
  const std::string name = column.name;
  if (table == "data_keys" && name == "key_id") return where;
  std::string other = "rowid";
  if (table == "secret_versions") other = name == "nonce" ? "hex(tag)" : "hex(nonce)";
  return " WHERE " + other + " = '" + intruder.read("SELECT " + other + " FROM " + table + where) + "'";
}

// Turns each bit of a column in the row where `where` holds, calls `judge`, and turns it back.
void turn_bits(Intruder& intruder, const Column& column, const std::string& where, const std::function<void()>& judge) {
  CAPTURE(column.table);
  CAPTURE(column.name);
  const std::string table = column.table;
  const std::string original = intruder.read(std::string("SELECT ") + column.name + " FROM " + table + where);
  const std::string row = stays(intruder, column, where);
  const auto write = [&](const std::string& value) {
    intruder.execute("UPDATE " + table + " SET " + column.name + " = " + value + row);
  };
  const std::size_t bits = column.number_bits != 0 ? column.number_bits : original.size() * 8;
  const auto turned = [&](std::size_t bit) {
    if (column.number_bits != 0) {
      return std::to_string(static_cast<std::int64_t>(std::stoull(original) ^ 1ULL << bit));
    }
    std::string bytes = original;
    flip(bytes, bit);
    return literal(bytes, column.type);
  };
  for (std::size_t bit = 0; bit < bits; ++bit) {
    CAPTURE(bit);
    write(turned(bit));
    judge();
  }
  write(column.number_bits != 0 ? original : literal(original, column.type));
}

}  // namespace

TEST_CASE("Each column, and all of them, swapped between any two of 50 rows are refused") {
  constexpr int kRows = 50;
  Rows rows(kRows);
  std::vector<StoredSecret> stored;
  stored.reserve(kRows);
  for (int row = 0; row < kRows; ++row) stored.push_back(rows.store.stored(name_of_row(row)));
  for (const auto& fields :
       std::vector<std::vector<Field>>{{kNonce}, {kCiphertext}, {kTag}, {kNonce, kCiphertext, kTag}}) {
    CAPTURE(fields.front().column);
    for (int a = 0; a < kRows; ++a) {
      for (int b = a + 1; b < kRows; ++b) {
        CAPTURE(a);
        CAPTURE(b);
        swap(rows.intruder, fields, stored, a, b);
        REQUIRE(rows.is_refused(a));
        REQUIRE(rows.is_refused(b));
        restore(rows.intruder, stored, a, b);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) CHECK(rows.is_whole(row));
}

TEST_CASE("Names that are swapped between two rows bring nobody another's value") {
  Rows rows(50);
  for (int row = 0; row + 1 < 50; ++row) {
    CAPTURE(row);
    const std::string first = "'" + name_of_row(row) + "'";
    const std::string second = "'" + name_of_row(row + 1) + "'";
    rows.intruder.execute(
        std::format("UPDATE secrets SET name = 'none' WHERE name = {0}; UPDATE secrets SET name = {0} WHERE name = {1};"
                    "UPDATE secrets SET name = {1} WHERE name = 'none'",
                    first, second));
    CHECK(rows.is_refused(row));
    CHECK(rows.is_refused(row + 1));
  }
}

TEST_CASE("Ids that are swapped between two rows bring nobody another's value") {
  Rows rows(50);
  for (int row = 0; row + 1 < 50; ++row) {
    CAPTURE(row);
    const std::string first = " WHERE name = '" + name_of_row(row) + "'";
    const std::string second = " WHERE name = '" + name_of_row(row + 1) + "'";
    const std::string id = "'" + rows.intruder.read("SELECT secret_id FROM secrets" + first) + "'";
    const std::string other = "'" + rows.intruder.read("SELECT secret_id FROM secrets" + second) + "'";
    rows.intruder.execute(
        std::format("UPDATE secrets SET secret_id = 'none'{0}; UPDATE secrets SET secret_id = {2}{1};"
                    "UPDATE secrets SET secret_id = {3}{0}",
                    first, second, id, other));
    CHECK(rows.is_refused(row));
    CHECK(rows.is_refused(row + 1));
  }
}

TEST_CASE("Rows that were given to another account do not open there") {
  Rows rows(50);
  rows.intruder.execute("UPDATE secrets SET user_uuid = 'bob'");
  for (int row = 0; row < 50; ++row) {
    const auto stored = rows.store.secret_rows->get("bob", name_of_row(row), std::nullopt);
    REQUIRE(stored);
    CHECK(rows.vault->open("bob", *stored).error().code == Code::internal_error);
  }
}

TEST_CASE("Every bit of what 20 rows store is bound: a row with one turned does not open, or is not found") {
  Rows rows(20);
  for (int row = 0; row < 20; ++row) {
    CAPTURE(row);
    for (const Column& column : {Column{"secret_versions", "nonce", "BLOB"},
                                 {"secret_versions", "ciphertext", "BLOB"},
                                 {"secret_versions", "tag", "BLOB"},
                                 {"secret_versions", "key_id", "INTEGER", 32},
                                 {"secret_versions", "encryption_version", "INTEGER", 32}}) {
      turn_bits(rows.intruder, column, of_version(row), [&] { REQUIRE(rows.is_refused(row)); });
      REQUIRE(rows.is_whole(row));
    }
    // What a row is found by.
    for (const Column& column :
         {Column{"secret_versions", "version", "INTEGER", 64}, {"secret_versions", "secret_id", "TEXT"}}) {
      turn_bits(rows.intruder, column, of_version(row), [&] { REQUIRE_FALSE(rows.read(row)); });
      REQUIRE(rows.is_whole(row));
    }
  }
}

TEST_CASE("Times that were changed say nothing of a value, which still opens") {
  Rows rows(1);
  for (const Column& column : {Column{"secret_versions", "created_at", "TEXT"}, {"secrets", "created_at", "TEXT"}}) {
    const std::string where = column.table == std::string("secrets") ? "" : of_version(0);
    turn_bits(rows.intruder, column, where, [&] { REQUIRE(rows.is_whole(0)); });
  }
}

TEST_CASE("A value of another version, a field that was cut and one that grew are refused") {
  Rows rows(1);
  const StoredSecret first = rows.store.stored(name_of_row(0));
  put(rows.store, *rows.vault, name_of_row(0), "value of another version");
  StoredSecret row = rows.store.stored(name_of_row(0));
  REQUIRE(rows.vault->open(rows.store.user, row));
  CHECK_FALSE(rows.vault->open("bob", row));
  for (std::string SealedValue::* field : {&SealedValue::nonce, &SealedValue::ciphertext, &SealedValue::tag}) {
    StoredSecret changed = row;
    (changed.value.*field).pop_back();
    CHECK_FALSE(rows.vault->open(rows.store.user, changed));
    (changed.value.*field) = row.value.*field + '\0';
    CHECK_FALSE(rows.vault->open(rows.store.user, changed));
  }
  row.value = first.value;
  const auto refused = rows.vault->open(rows.store.user, row);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.contains("Version 2"));
}

TEST_CASE("A bit turned in any column of a wrapped key refuses the start, and no file is touched") {
  const TemporaryFolder folder;
  Store store(folder.path());
  {
    const auto vault = store.open_vault();
    REQUIRE(vault);
    put(store, **vault, "one", "value");
  }
  Intruder intruder(store);
  const auto picture = [&] {
    return read_file(store.key_file()) + read_file(store.state_dir() + "/leger.db") +
           read_file(store.state_dir() + "/leger.db-wal");
  };
  for (const char* purpose : {"secrets", "tokens"}) {
    const std::string where = std::string(" WHERE purpose = '") + purpose + "'";
    for (const Column& column : {Column{"data_keys", "nonce", "BLOB"},
                                 {"data_keys", "ciphertext", "BLOB"},
                                 {"data_keys", "tag", "BLOB"},
                                 {"data_keys", "purpose", "TEXT"},
                                 {"data_keys", "key_id", "INTEGER", 32}}) {
      turn_bits(intruder, column, where, [&] {
        intruder.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        const std::string before = picture();
        const auto vault = store.open_vault();
        REQUIRE_FALSE(vault);
        REQUIRE(vault.error().code == Code::unavailable);
        REQUIRE(picture() == before);
      });
      REQUIRE(store.open_vault());
    }
    // When a key was made and how often it has sealed bind nothing.
    for (const Column& column : {Column{"data_keys", "created_at", "TEXT"}, {"data_keys", "seals", "INTEGER", 63}}) {
      turn_bits(intruder, column, where, [&] { REQUIRE(store.open_vault()); });
    }
  }
}

}  // namespace leger
