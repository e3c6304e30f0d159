#include "backend/store/audit.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>

#include "backend/base/offload.h"
#include "backend/store/audit_chain.h"
#include "backend/store/audit_journal.h"
#include "backend/store/sql.h"

namespace leger {
namespace {

constexpr std::uint64_t kMostLookedAt = 10'000;
constexpr std::size_t kMostKept = 8 << 20;  // bytes

constexpr const char* kChain = "SELECT first_id, hash_before_first, last_id, last_hash FROM audit_chain";

constexpr int kParameters = 11;  // of a row
constexpr std::size_t kRowsAtOnce = 16;
constexpr const char* kAppend =
    "INSERT INTO audit (id, time, actor, source, action, object, outcome, request_id, count, hash, version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

// The same for many rows, which takes a fifth less time for each.
const char* append_many() {
  static const std::string sql = [] {
    std::string text = kAppend;
    for (std::size_t row = 1; row < kRowsAtOnce; ++row) text += ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    return text;
  }();
  return sql.c_str();
}

constexpr const char* kSetEnd = "UPDATE audit_chain SET last_id = ?1, last_hash = ?2";

constexpr const char* kSetJournalled = "UPDATE audit_chain SET journalled = ?1";

constexpr const char* kSetStart = "UPDATE audit_chain SET first_id = ?1, hash_before_first = ?2";

constexpr char kColumns[] =
    "SELECT a.id, a.time, a.actor, a.source, a.action, a.object, a.version, a.outcome, a.request_id, a.count, ";

constexpr auto kList =
    joined(kColumns,
           "u.tailscale_email FROM audit a LEFT JOIN users u ON u.user_uuid = a.actor"
           " WHERE a.id < ?1 AND a.id >= ?2 AND (?3 = '' OR a.actor = ?3) AND (?4 = '' OR a.object = ?4)"
           " AND (?5 = '' OR a.action = ?5) ORDER BY a.id DESC LIMIT ?6");

constexpr auto kWalk = joined(kColumns, "a.hash FROM audit a ORDER BY a.id");

// Each of the two is one look at an end of the table.
constexpr const char* kEnds = "SELECT (SELECT min(id) FROM audit), (SELECT max(id) FROM audit)";

constexpr const char* kOldest = "SELECT id, hash, time < ?1 FROM audit ORDER BY id LIMIT ?2";

constexpr const char* kDrop = "DELETE FROM audit WHERE id <= ?1";

struct Chain {
  std::uint64_t first_id = 0;
  std::string hash_before_first;
  std::uint64_t last_id = 0;
  std::string last_hash;
};

std::uint64_t id_in(const Statement& row, int column) { return static_cast<std::uint64_t>(row.integer(column)); }

Result<Chain> read_chain(Connection& connection) {
  Statement statement = connection.prepare(kChain);
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (*row) return Chain{id_in(statement, 0), statement.blob(1), id_in(statement, 2), statement.blob(3)};
  return Fail({Code::internal_error,
               "the audit's record of its own ends is missing",
               "The database was changed by something else: restore it from a backup.",
               {}});
}

// The first ten of kColumns.
AuditRecord record_of(const Statement& row) {
  AuditRecord record{.time = row.text(1),
                     .actor = row.text(2),
                     .source = row.text(3),
                     .action = row.text(4),
                     .object = row.text(5),
                     .version = std::nullopt,
                     .outcome = row.text(7),
                     .request_id = row.text(8),
                     .count = static_cast<std::uint64_t>(row.integer(9))};
  if (const auto version = row.optional_integer(6)) record.version = static_cast<std::uint64_t>(*version);
  return record;
}

// The row of a record's bytes, at the end of the chain, as parameters from `parameter` on.
Result<void> bind_row(Statement& statement, int parameter, Chain& chain, std::string_view bytes) {
  const auto fields = audit_fields_of(bytes);
  if (!fields) return Fail({Code::internal_error, "a record of the audit is damaged", {}, {}});
  chain.last_hash = audit_hash(chain.last_hash, ++chain.last_id, bytes);
  statement.bind(parameter++, static_cast<std::int64_t>(chain.last_id));
  for (const std::string_view text : fields->texts) statement.bind_borrowed(parameter++, text);
  statement.bind(parameter++, static_cast<std::int64_t>(fields->count));
  statement.bind_blob(parameter++, chain.last_hash);
  if (fields->version) {
    statement.bind(parameter, static_cast<std::int64_t>(*fields->version));
  } else {
    statement.bind_optional(parameter, std::nullopt);
  }
  return {};
}

// The rows of so many records. `statement` is one for as many rows.
Result<void> append(Statement& statement, Chain& chain, std::span<const std::string_view> records) {
  int parameter = 1;
  for (const std::string_view bytes : records) {
    if (auto bound = bind_row(statement, parameter, chain, bytes); !bound) return bound;
    parameter += kParameters;
  }
  auto added = statement.run();
  statement.again();
  return added;
}

// As many as there are, in statements for `at_once` of them; gives what is left.
Result<std::span<const std::string_view>> append_all(Statement statement, std::size_t at_once, Chain& chain,
                                                     std::span<const std::string_view> records) {
  while (records.size() >= at_once) {
    if (auto added = append(statement, chain, records.first(at_once)); !added) return Fail(added.error());
    records = records.subspan(at_once);
  }
  return records;
}

Result<void> set_end(Connection& connection, const Chain& chain) {
  return connection.prepare(kSetEnd)
      .bind(1, static_cast<std::int64_t>(chain.last_id))
      .bind_blob(2, chain.last_hash)
      .run();
}

Result<void> append_batch(Connection& connection, const AuditJournal::Batch& batch) {
  auto chain = read_chain(connection);
  if (!chain) return Fail(chain.error());
  std::vector<std::string_view> records;
  std::string_view frames = batch.frames;
  while (const auto record = AuditJournal::next_record(frames)) records.push_back(*record);
  const auto few = append_all(connection.prepare(append_many()), kRowsAtOnce, *chain, records);
  if (!few) return Fail(few.error());
  const auto none = append_all(connection.prepare(kAppend), 1, *chain, *few);
  if (!none) return Fail(none.error());
  if (auto set = set_end(connection, *chain); !set) return set;
  return connection.prepare(kSetJournalled).bind(1, static_cast<std::int64_t>(batch.last)).run();
}

Result<std::vector<AuditEntry>> entries(Connection& connection, const AuditQuery& query, std::uint64_t below,
                                        std::uint64_t lowest) {
  Statement statement = connection.prepare(kList.data());
  statement.bind(1, static_cast<std::int64_t>(below))
      .bind(2, static_cast<std::int64_t>(lowest))
      .bind(3, query.actor)
      .bind(4, query.object)
      .bind(5, query.action)
      .bind(6, std::max<std::int64_t>(query.limit, 1));
  std::vector<AuditEntry> found;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return found;
    found.push_back({.id = id_in(statement, 0), .record = record_of(statement), .actor_name = statement.text(10)});
  }
}

// The ids are without gaps, so that so many of them are so many rows.
Result<AuditPage> page(Connection& connection, const AuditQuery& query) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  {
    Statement ends = connection.prepare(kEnds);
    if (const auto row = ends.step(); !row) return Fail(row.error());
    first = id_in(ends, 0);
    last = id_in(ends, 1);
  }
  const std::uint64_t below = query.before == 0 ? last + 1 : std::min(query.before, last + 1);
  const std::uint64_t lowest = std::max(first, below - std::min(below, kMostLookedAt));
  auto found = entries(connection, query, below, lowest);
  if (!found) return Fail(found.error());
  const bool is_full = found->size() == std::max<std::size_t>(query.limit, 1);
  const std::uint64_t reached = is_full ? found->back().id : lowest;
  AuditPage page{.entries = *std::move(found), .next = std::nullopt};
  if (reached > first && first != 0) page.next = reached;
  return page;
}

Result<AuditVerdict> verify_chain(Connection& connection) {
  const auto chain = read_chain(connection);
  if (!chain) return Fail(chain.error());
  AuditVerdict verdict;
  std::uint64_t expected = chain->first_id;
  std::string hash = chain->hash_before_first;
  Statement rows = connection.prepare(kWalk.data());
  while (true) {
    const auto row = rows.step();
    if (!row) return Fail(row.error());
    if (!*row) break;
    ++verdict.entries;
    const std::uint64_t id = id_in(rows, 0);
    hash = audit_hash(hash, id, record_of(rows));
    if (id != expected || id > chain->last_id || hash != rows.blob(10)) {
      verdict.first_bad = std::min(id, expected);
      return verdict;
    }
    ++expected;
  }
  if (expected != chain->last_id + 1) {
    verdict.first_bad = expected;
  } else if (hash != chain->last_hash) {
    verdict.first_bad = std::max(chain->first_id, chain->last_id);
  }
  return verdict;
}

Result<std::uint64_t> drop_oldest(Connection& connection, const std::string& time, std::uint32_t most) {
  std::uint64_t dropped = 0;
  std::int64_t last = 0;
  std::string hash;
  {
    Statement oldest = connection.prepare(kOldest);
    oldest.bind(1, time).bind(2, most);
    while (true) {
      const auto row = oldest.step();
      if (!row) return Fail(row.error());
      if (!*row || oldest.integer(2) == 0) break;
      last = oldest.integer(0);
      hash = oldest.blob(1);
      ++dropped;
    }
  }
  if (dropped == 0) return dropped;
  if (auto gone = connection.prepare(kDrop).bind(1, last).run(); !gone) return Fail(gone.error());
  auto moved = connection.prepare(kSetStart).bind(1, last + 1).bind_blob(2, hash).run();
  if (!moved) return Fail(moved.error());
  return dropped;
}

}  // namespace

Result<void> append_audit(Connection& connection, const AuditRecord& record) {
  auto chain = read_chain(connection);
  if (!chain) return Fail(chain.error());
  std::string bytes;
  append_bytes(bytes, record);
  const std::array<std::string_view, 1> one{bytes};
  const auto none = append_all(connection.prepare(kAppend), 1, *chain, one);
  if (!none) return Fail(none.error());
  return set_end(connection, *chain);
}

void AuditStore::gather(const AuditRecord& record) { database_.audit_journal().gather(record); }

Result<void> AuditStore::keep() { return database_.audit_journal().write_out(); }

bool AuditStore::is_full() const { return database_.audit_journal().kept() >= kMostKept; }

bool AuditStore::has_kept() const { return database_.audit_journal().kept() > 0; }

Task<Result<void>> AuditStore::fold() {
  AuditJournal& journal = database_.audit_journal();
  auto batch = std::make_shared<AuditJournal::Batch>(journal.take());
  if (batch->frames.empty()) co_return Result<void>();
  auto written =
      co_await database_.write_audit([batch](Connection& connection) { return append_batch(connection, *batch); });
  if (!written) {
    journal.give_back(std::move(*batch));
    co_return written;
  }
  journal.chained(*batch);
  // What is not emptied now is written over.
  [[maybe_unused]] const auto emptied = co_await offload(database_.loop(), [&journal] { return journal.empty(); });
  co_return Result<void>();
}

Result<AuditPage> AuditStore::list(const AuditQuery& query) { return page(database_.reader(), query); }

Task<Result<AuditVerdict>> AuditStore::verify() {
  auto verdict = std::make_shared<AuditVerdict>();
  auto read = co_await database_.read_apart([verdict](Connection& connection) -> Result<void> {
    const auto found = verify_chain(connection);
    if (!found) return Fail(found.error());
    *verdict = *found;
    return {};
  });
  if (!read) co_return Fail(read.error());
  co_return *verdict;
}

Task<Result<std::uint64_t>> AuditStore::drop_before(std::string time, std::uint32_t most) {
  auto dropped = std::make_shared<std::uint64_t>(0);
  auto written = co_await database_.write([dropped, time = std::move(time), most](Connection& c) -> Result<void> {
    const auto done = drop_oldest(c, time, most);
    if (!done) return Fail(done.error());
    *dropped = *done;
    return {};
  });
  if (!written) co_return Fail(written.error());
  co_return *dropped;
}

}  // namespace leger
