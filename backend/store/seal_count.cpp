#include "backend/store/seal_count.h"

#include <string>

namespace leger {
namespace {

constexpr const char* kCount = "UPDATE data_keys SET seals = seals + ?2 WHERE key_id = ?1 RETURNING seals";

constexpr unsigned kHalf = 32;

std::uint32_t key_in(std::uint64_t word) { return static_cast<std::uint32_t>(word >> kHalf); }
std::uint32_t count_in(std::uint64_t word) { return static_cast<std::uint32_t>(word); }
std::uint64_t word_of(std::uint32_t key_id, std::uint32_t count) { return std::uint64_t{key_id} << kHalf | count; }

}  // namespace

Result<Seals> SealCount::count(Connection& connection, std::uint32_t key_id) {
  if (key_id != key_id_) {
    key_id_ = key_id;
    single_ = 0;
  }
  std::uint64_t ahead = ahead_;
  while (key_in(ahead) == key_id && count_in(ahead) > 0) {
    // A transaction that fails after this has counted one too many.
    if (ahead_.compare_exchange_weak(ahead, ahead - 1)) return Seals{.key_id = key_id, .stored = stored_, .ahead = 0};
  }
  Seals seals{.key_id = key_id, .stored = 0, .ahead = single_ < kSingle ? 0 : kBlock};
  Statement statement = connection.prepare(kCount);
  const auto row = statement.bind(1, key_id).bind(2, std::int64_t{1} + seals.ahead).step();
  if (!row) return Fail(row.error());
  if (!*row) {
    return Fail({Code::internal_error, "there is no key " + std::to_string(key_id) + " to seal with", {}, {}});
  }
  if (single_ < kSingle) ++single_;
  stored_ = seals.stored = static_cast<std::uint64_t>(statement.integer(0));
  return seals;
}

void SealCount::committed(const Seals& seals) {
  if (seals.ahead == 0) return;
  std::uint64_t ahead = ahead_;
  std::uint64_t next = 0;
  do {
    const std::uint32_t left = key_in(ahead) == seals.key_id ? count_in(ahead) : 0;
    next = word_of(seals.key_id, left + seals.ahead);
  } while (!ahead_.compare_exchange_weak(ahead, next));
}

}  // namespace leger
