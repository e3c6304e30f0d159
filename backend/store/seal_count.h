#pragma once

// How often each data key has sealed, for the bound on random nonces (threats T29). After some single counts it counts
// ahead, a block at a time, so that most seals cost neither a statement nor a page of the database: what is stored is
// never less than what was sealed, and after a crash at most a block more. Owned by SqliteSecrets.

#include <atomic>
#include <cstdint>

#include "backend/base/error.h"
#include "backend/store/statement.h"

namespace leger {

// One seal, counted.
struct Seals {
  std::uint32_t key_id = 0;
  std::uint64_t stored = 0;  // of that key: all, or more by what was counted ahead
  std::uint32_t ahead = 0;   // counted ahead by this transaction
};

class SealCount {
 public:
  static constexpr std::uint32_t kSingle = 256;  // before the first block
  static constexpr std::uint32_t kBlock = 256;

  // Counts one within the transaction that stores what was sealed. Writer's thread. internal_error for an unknown key.
  Result<Seals> count(Connection& connection, std::uint32_t key_id);
  // That transaction is on the disk, and so is what it counted ahead. Loop thread.
  void committed(const Seals& seals);

 private:
  // The key in the upper half, how many were counted ahead in the lower: one word, changed as one.
  std::atomic<std::uint64_t> ahead_ = 0;
  // Of the writer's thread.
  std::uint32_t key_id_ = 0;
  std::uint32_t single_ = 0;
  std::uint64_t stored_ = 0;
};

}  // namespace leger
