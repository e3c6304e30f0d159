#pragma once

// The passages from one key to the next. A new data key: it seals from now on, and what older ones sealed is sealed
// anew in the background, 100 rows a transaction; a crash resumes at the next start. A new key-encryption key: all
// wrapped keys at once. A row that does not open, since it was damaged or changed, is reported and stays as it is, with
// its key; it holds no rotation. Owned by the daemon; loop thread.

#include <cstdint>
#include <string>

#include "backend/base/error.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/audit_log.h"
#include "backend/service/vault.h"
#include "backend/store/keys.h"

namespace leger {

class KeyRotation {
 public:
  // SP 800-38D allows 2^32 with random nonces; at 2^30 a collision is as good as impossible (2^-37).
  static constexpr std::uint64_t kMostSeals = 1ULL << 30U;

  // All outlive this. `most_seals`: a data key that has sealed so often is followed by a new one by itself.
  KeyRotation(Loop& loop, const Log& log, KeyStore& store, Vault& vault, const AuditLog& audit,
              std::uint64_t most_seals = kMostSeals);
  KeyRotation(const KeyRotation&) = delete;
  KeyRotation& operator=(const KeyRotation&) = delete;

  // Makes a new data key, durable and in use when this returns; gives its id. The rest goes on by itself; conflict
  // until it is done.
  Task<Result<std::uint32_t>> rotate_data_key(Actor actor);

  // Wraps all keys under the key in `new_key_file`, an absolute path of exactly 32 bytes that nobody else can read,
  // outside the state folder. invalid_request for another file, conflict for the key that is in use.
  Task<Result<void>> rotate_kek(Actor actor, std::string new_key_file);

  // How often the newest data key has sealed, as a write has told.
  void note_seals(std::uint64_t seals);

  // Seals anew whatever older keys sealed, after a start and after each rotation, until stop().
  Task<void> run();
  void stop();

 private:
  Task<void> begin_by_itself();
  Task<void> finish();
  Task<bool> seal_rows();
  Task<bool> drop_keys();
  Task<void> wait_after(Error error);
  void tell_of_new_key_file() const;

  Loop& loop_;
  const Log& log_;
  KeyStore& store_;
  Vault& vault_;
  const AuditLog& audit_;
  const std::uint64_t most_seals_;
  OneShot<bool> wake_;
  std::uint64_t patience_ms_;  // until a failed write is tried again
  bool changing_ = false;      // keys are being written: what was wrapped before must not be stored after it
  bool under_way_;             // there may be rows of older keys
  bool worn_out_ = false;      // the newest key has sealed often enough
  bool stopped_ = false;
};

}  // namespace leger
