#include "backend/store/statement.h"

#include <doctest/doctest.h>

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

// A connection to a file of its own.
struct File {
  TemporaryFolder folder;
  std::unique_ptr<Connection> connection;

  File() {
    std::ofstream(folder / "test.db") << "";
    connection = Connection::open(folder / "test.db", Connection::Access::read_write).value();
    REQUIRE(connection->execute("CREATE TABLE t (i INTEGER, s TEXT, b BLOB)").has_value());
  }
};

}  // namespace

TEST_CASE("numbers, texts and bytes come back as they were bound") {
  File file;
  std::vector<std::string> texts = hostile_strings();
  texts.emplace_back();
  for (const std::string& text : texts) {
    REQUIRE(file.connection->execute("DELETE FROM t").has_value());
    auto added = file.connection->prepare("INSERT INTO t VALUES (?1, ?2, ?3)")
                     .bind(1, INT64_MIN)
                     .bind(2, text)
                     .bind_blob(3, text)
                     .run();
    REQUIRE(added.has_value());
    Statement row = file.connection->prepare("SELECT i, s, b, typeof(s), typeof(b) FROM t WHERE s = ?1");
    REQUIRE(row.bind(1, text).step().value());
    CHECK(row.integer(0) == INT64_MIN);
    CHECK(row.text(1) == text);
    CHECK(row.blob(2) == text);
    CHECK(row.text(3) == "text");
    CHECK(row.text(4) == "blob");
    CHECK_FALSE(row.step().value());
  }
}

TEST_CASE("an empty text is not NULL, and NULL is told apart") {
  File file;
  REQUIRE(file.connection->prepare("INSERT INTO t VALUES (0, ?1, ?2)")
              .bind(1, std::string_view{})
              .bind_blob(2, {})
              .run()
              .has_value());
  REQUIRE(
      file.connection->prepare("INSERT INTO t VALUES (1, ?1, NULL)").bind_optional(1, std::nullopt).run().has_value());
  REQUIRE(file.connection->prepare("INSERT INTO t VALUES (2, ?1, NULL)").bind_optional(1, "x").run().has_value());
  Statement row = file.connection->prepare("SELECT s, b IS NULL FROM t ORDER BY i");
  REQUIRE(row.step().value());
  CHECK(row.optional_text(0) == std::optional<std::string>(""));
  CHECK(row.integer(1) == 0);
  REQUIRE(row.step().value());
  CHECK(row.optional_text(0) == std::nullopt);
  CHECK(row.text(0).empty());
  CHECK(row.blob(0).empty());
  CHECK(row.integer(1) == 1);
  REQUIRE(row.step().value());
  CHECK(row.text(0) == "x");
}

TEST_CASE("a statement is reset and its parameters forgotten when it goes away") {
  File file;
  const char* sql = "INSERT INTO t VALUES (1, ?1, NULL)";
  REQUIRE(file.connection->prepare(sql).bind(1, "first").run().has_value());
  REQUIRE(file.connection->prepare(sql).run().has_value());
  Statement count = file.connection->prepare("SELECT count(*) FROM t WHERE s IS NULL");
  REQUIRE(count.step().value());
  CHECK(count.integer(0) == 1);
}

TEST_CASE("a moved statement works and the old one lets go") {
  File file;
  Statement first = file.connection->prepare("SELECT 41 + ?1");
  first.bind(1, 1);
  Statement second(std::move(first));
  REQUIRE(second.step().value());
  CHECK(second.integer(0) == 42);
}

TEST_CASE("using a statement twice at once is an error and not a mixture") {
  File file;
  REQUIRE(file.connection->execute("INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', NULL)").has_value());
  const char* sql = "SELECT i FROM t ORDER BY i";
  Statement outer = file.connection->prepare(sql);
  REQUIRE(outer.step().value());
  const auto inner = file.connection->prepare(sql).step();
  REQUIRE_FALSE(inner.has_value());
  CHECK(inner.error().code == Code::internal_error);
  REQUIRE(outer.step().value());
  CHECK(outer.integer(0) == 2);
}

TEST_CASE("mistakes in SQL and parameters are errors of the step") {
  File file;
  CHECK_FALSE(file.connection->prepare("SELEC 1")
                  .bind(1, 1)
                  .bind(1, "x")
                  .bind_optional(1, std::nullopt)
                  .bind_blob(1, "")
                  .step()
                  .has_value());
  CHECK_FALSE(file.connection->prepare("SELECT ?1").bind(2, "x").step().has_value());
  CHECK_FALSE(file.connection->prepare("SELECT ?1").bind(2, "x").run().has_value());
  // With DQS off a mistyped column in double quotes is no text.
  CHECK_FALSE(file.connection->prepare("SELECT \"no_such_column\"").step().has_value());
  CHECK_FALSE(file.connection->execute("nonsense").has_value());
}

TEST_CASE("the error of a broken rule names the rule and not the value") {
  File file;
  REQUIRE(file.connection->execute("CREATE TABLE u (name TEXT UNIQUE, CHECK (name <> 'canary-2'))").has_value());
  const char* sql = "INSERT INTO u VALUES (?1)";
  REQUIRE(file.connection->prepare(sql).bind(1, "canary-1").run().has_value());
  const auto twice = file.connection->prepare(sql).bind(1, "canary-1").run();
  REQUIRE_FALSE(twice.has_value());
  CHECK(twice.error().code == Code::internal_error);
  CHECK(twice.error().message.find("u.name") != std::string::npos);
  CHECK(twice.error().message.find("canary") == std::string::npos);
}

TEST_CASE("a file that is not there or may not be written is unavailable") {
  const TemporaryFolder folder;
  const auto absent = Connection::open(folder / "absent.db", Connection::Access::read_write);
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().code == Code::unavailable);
  CHECK_FALSE(std::filesystem::exists(folder / "absent.db"));
  File file;
  auto reading = Connection::open(file.folder / "test.db", Connection::Access::read_only).value();
  const auto refused = reading->execute("DELETE FROM t");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::unavailable);
}

TEST_CASE("changes and transactions are told") {
  File file;
  CHECK_FALSE(file.connection->in_transaction());
  REQUIRE(file.connection->execute("BEGIN").has_value());
  CHECK(file.connection->in_transaction());
  REQUIRE(file.connection->execute("INSERT INTO t VALUES (1, '', ''), (2, '', '')").has_value());
  CHECK(file.connection->changes() == 2);
  REQUIRE(file.connection->execute("COMMIT").has_value());
  CHECK_FALSE(file.connection->in_transaction());
}
