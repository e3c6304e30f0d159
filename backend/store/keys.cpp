#include "backend/store/keys.h"

#include <memory>
#include <utility>

namespace leger {
namespace {

// What a transaction takes of large values, so that other writes need not wait long for it.
constexpr std::size_t kMostBytes = 4UL * 1024 * 1024;

constexpr const char* kKeys =
    "SELECT key_id, purpose, nonce, ciphertext, tag, created_at FROM data_keys ORDER BY key_id";

constexpr const char* kAddKey =
    "INSERT INTO data_keys (key_id, purpose, nonce, ciphertext, tag, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (key_id) DO NOTHING";

// By the index on (key_id, nonce): what older keys sealed is found without a look at the rest. CROSS JOIN keeps that
// order of the tables.
constexpr const char* kOlder =
    "SELECT s.name, v.version, s.created_at, v.created_at, v.key_id, v.encryption_version, v.nonce, v.ciphertext,"
    " v.tag, s.user_uuid, v.secret_id FROM secret_versions v CROSS JOIN secrets s ON s.secret_id = v.secret_id"
    " WHERE (v.key_id, v.nonce) > (?1, ?2) AND v.key_id < ?3 ORDER BY v.key_id, v.nonce LIMIT ?4";

constexpr const char* kReplace =
    "UPDATE secret_versions SET key_id = ?3, encryption_version = ?4, nonce = ?5, ciphertext = ?6, tag = ?7"
    " WHERE secret_id = ?1 AND version = ?2";

constexpr const char* kCountSeals = "UPDATE data_keys SET seals = seals + ?2 WHERE key_id = ?1";

constexpr const char* kDropUnused =
    "DELETE FROM data_keys WHERE purpose = 'secrets' AND key_id <> ?1"
    " AND NOT EXISTS (SELECT 1 FROM secret_versions v WHERE v.key_id = data_keys.key_id)";

constexpr const char* kRewrap =
    "UPDATE data_keys SET nonce = ?3, ciphertext = ?4, tag = ?5 WHERE key_id = ?1 AND purpose = ?2";

constexpr const char* kCountKeys = "SELECT count(*) FROM data_keys";

constexpr const char* kNote =
    "INSERT INTO new_key_file (one, path) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET path = ?1";

constexpr const char* kNoted = "SELECT path FROM new_key_file";

constexpr const char* kForget = "DELETE FROM new_key_file";

// A version that an older key sealed.
struct OlderRow {
  std::string secret_id;
  std::string user_uuid;
  StoredSecret stored;
};

OlderRow row_of(const Statement& row) {
  return {.secret_id = row.text(10),
          .user_uuid = row.text(9),
          .stored = {.info = {.name = row.text(0),
                              .version = static_cast<std::uint64_t>(row.integer(1)),
                              .created_at = row.text(2),
                              .updated_at = row.text(3)},
                     .value = {.key_id = static_cast<std::uint32_t>(row.integer(4)),
                               .encryption_version = static_cast<std::uint32_t>(row.integer(5)),
                               .nonce = row.blob(6),
                               .ciphertext = row.blob(7),
                               .tag = row.blob(8)}}};
}

struct OlderRows {
  std::vector<OlderRow> rows;
  bool are_all = false;  // that there are from the position on
};

// All at once, before the first is changed: changing a row moves it in the index that they are read by.
Result<OlderRows> older_rows(Connection& connection, std::uint32_t newest, const ResealPosition& from,
                             std::uint32_t most) {
  Statement statement = connection.prepare(kOlder);
  statement.bind(1, from.key_id).bind_blob(2, from.nonce).bind(3, newest).bind(4, most);
  OlderRows older;
  std::size_t bytes = 0;
  while (bytes < kMostBytes) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) {
      older.are_all = older.rows.size() < most;
      break;
    }
    older.rows.push_back(row_of(statement));
    bytes += older.rows.back().stored.value.ciphertext.size();
  }
  return older;
}

Result<void> replace(Connection& connection, const OlderRow& row, const SealedValue& value) {
  return connection.prepare(kReplace)
      .bind(1, row.secret_id)
      .bind(2, static_cast<std::int64_t>(row.stored.info.version))
      .bind(3, value.key_id)
      .bind(4, value.encryption_version)
      .bind_blob(5, value.nonce)
      .bind_blob(6, value.ciphertext)
      .bind_blob(7, value.tag)
      .run();
}

Result<Resealed> reseal_rows(Connection& connection, std::uint32_t newest, const ResealPosition& from,
                             std::uint32_t most, const Reseal& reseal) {
  const auto older = older_rows(connection, newest, from, most);
  if (!older) return Fail(older.error());
  Resealed outcome;
  for (const OlderRow& row : older->rows) {
    const auto sealed = reseal(row.user_uuid, row.stored);
    if (!sealed) {
      outcome.refused.push_back(sealed.error());
      continue;
    }
    if (auto replaced = replace(connection, row, *sealed); !replaced) return Fail(replaced.error());
    ++outcome.sealed;
  }
  if (!older->are_all) {
    const SealedValue& last = older->rows.back().stored.value;
    outcome.next = {.key_id = last.key_id, .nonce = last.nonce};
  }
  if (outcome.sealed == 0) return outcome;
  if (auto counted = connection.prepare(kCountSeals).bind(1, newest).bind(2, outcome.sealed).run(); !counted) {
    return Fail(counted.error());
  }
  return outcome;
}

Error other_keys() { return {Code::conflict, "the keys of the store have changed meanwhile", "Try again.", {}}; }

Result<void> rewrap_keys(Connection& connection, const std::vector<WrappedKey>& keys) {
  {
    Statement count = connection.prepare(kCountKeys);
    if (const auto row = count.step(); !row) return Fail(row.error());
    if (std::cmp_not_equal(count.integer(0), keys.size())) return Fail(other_keys());
  }
  for (const WrappedKey& key : keys) {
    auto replaced = connection.prepare(kRewrap)
                        .bind(1, key.key_id)
                        .bind(2, key.purpose)
                        .bind_blob(3, key.nonce)
                        .bind_blob(4, key.ciphertext)
                        .bind_blob(5, key.tag)
                        .run();
    if (!replaced) return replaced;
    if (connection.changes() != 1) return Fail(other_keys());
  }
  return {};
}

Result<void> add_key(Connection& connection, const WrappedKey& key, const std::optional<AuditRecord>& audit) {
  auto added = connection.prepare(kAddKey)
                   .bind(1, key.key_id)
                   .bind(2, key.purpose)
                   .bind_blob(3, key.nonce)
                   .bind_blob(4, key.ciphertext)
                   .bind_blob(5, key.tag)
                   .bind(6, key.created_at)
                   .run();
  if (!added) return added;
  if (connection.changes() != 1) {
    return Fail({Code::conflict, "there is a key " + std::to_string(key.key_id) + " already", {}, {}});
  }
  if (!audit) return {};
  return append_audit(connection, *audit);
}

}  // namespace

Result<std::vector<WrappedKey>> KeyStore::wrapped_keys() {
  Statement statement = database_.reader().prepare(kKeys);
  std::vector<WrappedKey> keys;
  while (true) {
    const auto row = statement.step();
    if (!row) return Fail(row.error());
    if (!*row) return keys;
    keys.push_back({.key_id = static_cast<std::uint32_t>(statement.integer(0)),
                    .purpose = statement.text(1),
                    .nonce = statement.blob(2),
                    .ciphertext = statement.blob(3),
                    .tag = statement.blob(4),
                    .created_at = statement.text(5)});
  }
}

Task<Result<void>> KeyStore::add(WrappedKey key, std::optional<AuditRecord> audit) {
  return database_.write([key = std::move(key), audit = std::move(audit)](Connection& connection) {
    return add_key(connection, key, audit);
  });
}

Task<Result<Resealed>> KeyStore::reseal(std::uint32_t newest, ResealPosition from, std::uint32_t most, Reseal reseal) {
  auto outcome = std::make_shared<Resealed>();
  auto written = co_await database_.write(
      [=, from = std::move(from), reseal = std::move(reseal)](Connection& connection) -> Result<void> {
        auto done = reseal_rows(connection, newest, from, most, reseal);
        if (!done) return Fail(done.error());
        *outcome = *std::move(done);
        return {};
      });
  if (!written) co_return Fail(written.error());
  co_return std::move(*outcome);
}

Task<Result<std::uint32_t>> KeyStore::drop_unused(std::uint32_t newest, AuditRecord audit) {
  auto dropped = std::make_shared<std::uint32_t>(0);
  auto written = co_await database_.write(
      [=, audit = std::move(audit)](Connection& connection) -> Result<void> {
        if (auto done = connection.prepare(kDropUnused).bind(1, newest).run(); !done) return done;
        *dropped = static_cast<std::uint32_t>(connection.changes());
        if (*dropped == 0) return {};
        return append_audit(connection, audit);
      },
      Database::Trace::none_left);
  if (!written) co_return Fail(written.error());
  co_return *dropped;
}

Task<Result<void>> KeyStore::rewrap(std::vector<WrappedKey> keys, std::string new_key_file, AuditRecord audit) {
  return database_.write(
      [keys = std::move(keys), file = std::move(new_key_file),
       audit = std::move(audit)](Connection& connection) -> Result<void> {
        if (auto rewrapped = rewrap_keys(connection, keys); !rewrapped) return rewrapped;
        if (auto noted = connection.prepare(kNote).bind(1, file).run(); !noted) return noted;
        return append_audit(connection, audit);
      },
      Database::Trace::none_left);
}

Result<std::optional<std::string>> KeyStore::new_key_file() {
  Statement statement = database_.reader().prepare(kNoted);
  const auto row = statement.step();
  if (!row) return Fail(row.error());
  if (!*row) return std::nullopt;
  return statement.text(0);
}

Task<Result<void>> KeyStore::forget_new_key_file() {
  return database_.write([](Connection& connection) { return connection.prepare(kForget).run(); });
}

}  // namespace leger
