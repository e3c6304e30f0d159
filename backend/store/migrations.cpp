#include "backend/store/migrations.h"

#include <cstdint>
#include <filesystem>

#include "backend/store/schema_steps.h"

namespace leger {
namespace {

// "LEGR", the application id in the file's header: tells our databases from those of other programs.
constexpr std::int64_t kApplicationId = 0x4c454752;

struct Header {
  std::int64_t application_id = 0;
  std::int64_t schema = 0;
  std::int64_t objects = 0;  // tables and indices
  // SQLite takes a file that is shorter than its header for an empty database, and would write over it.
  bool is_too_short = false;
};

Result<std::int64_t> number(Connection& connection, const char* sql) {
  Statement statement = connection.prepare(sql);
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  return statement.integer(0);
}

Result<Header> read_header(Connection& connection, const std::string& path) {
  const auto id = number(connection, "PRAGMA application_id");
  if (!id) return Fail(id.error());
  const auto schema = number(connection, "PRAGMA user_version");
  if (!schema) return Fail(schema.error());
  const auto objects = number(connection, "SELECT count(*) FROM sqlite_schema");
  if (!objects) return Fail(objects.error());
  const auto pages = number(connection, "PRAGMA page_count");
  if (!pages) return Fail(pages.error());
  std::error_code problem;
  const std::uintmax_t bytes = std::filesystem::file_size(path, problem);
  if (problem) return Fail(system_error("cannot look at " + path, problem.value()));
  return Header{*id, *schema, *objects, *pages == 0 && bytes != 0};
}

bool is_fresh(const Header& header) {
  return header.application_id == 0 && header.schema == 0 && header.objects == 0 && !header.is_too_short;
}

Result<void> judge(const Header& header, const std::string& path) {
  if (is_fresh(header)) return {};
  if (header.application_id != kApplicationId || header.schema < 1) {
    return Fail({Code::unavailable,
                 path + " is no database of Leger",
                 "Move it away, or name another folder by state_dir in legerd.toml.",
                 {}});
  }
  if (header.schema > newest_schema()) {
    return Fail({Code::unavailable,
                 path + " has schema " + std::to_string(header.schema) + ", this legerd knows up to " +
                     std::to_string(newest_schema()),
                 "Upgrade legerd to the version that wrote it, or restore a backup from before.",
                 {}});
  }
  return {};
}

// Kept in the file's header; some file systems cannot do it and SQLite then stays as it was, without an error.
Result<void> use_wal(Connection& connection, const std::string& path) {
  Statement statement = connection.prepare("PRAGMA journal_mode = WAL");
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (statement.text(0) == "wal") return {};
  return Fail({Code::unavailable,
               path + ": SQLite's WAL mode does not work on this file system",
               "Put state_dir on a local disk.",
               {}});
}

Result<void> run_step(Connection& connection, int step) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = connection.execute(schema_steps()[static_cast<std::size_t>(step) - 1]);
  if (done) done = connection.execute(("PRAGMA user_version = " + std::to_string(step)).c_str());
  if (done) done = connection.execute("COMMIT");
  if (!done && connection.in_transaction()) {
    // What matters is the first error; without the ROLLBACK the connection is closed, which undoes the step as well.
    [[maybe_unused]] const auto undone = connection.execute("ROLLBACK");
  }
  return done;
}

}  // namespace

int newest_schema() { return static_cast<int>(schema_steps().size()); }

Result<void> migrate(Connection& connection, const std::string& path) {
  const auto header = read_header(connection, path);
  if (!header) return Fail(header.error());
  if (auto known = judge(*header, path); !known) return known;
  if (auto wal = use_wal(connection, path); !wal) return wal;
  // A step may copy more than memory holds. What gathered_log.h warns of does no harm here: a step that fails is
  // undone, and the connection writes no more.
  if (auto spills = connection.execute("PRAGMA cache_spill = ON"); !spills) return spills;
  for (int step = static_cast<int>(header->schema) + 1; step <= newest_schema(); ++step) {
    if (auto done = run_step(connection, step); !done) return done;
  }
  return connection.execute("PRAGMA cache_spill = OFF");
}

}  // namespace leger
