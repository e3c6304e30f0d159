#pragma once

// Sealing and opening of secret values, and the keys that sign tokens: both kinds in memory, unwrapped once at start by
// the key-encryption key that never rests in the state folder. All but open() of the vault itself may be called from
// any thread.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/crypto/key.h"
#include "backend/store/secrets.h"

namespace leger {

// Where the key-encryption key is looked for: a systemd credential first, then the file.
struct KeyPlaces {
  std::string credentials_directory;  // empty: none
  std::string key_file;
};

class Vault {
 public:
  // Reads the key-encryption key, or makes its file when the store has no keys yet, unwraps the keys of the store, and
  // makes the first one of a purpose that has none. A missing or wrong key refuses (`unavailable`) and touches nothing.
  static Task<Result<std::unique_ptr<Vault>>> open(Secrets& store, KeyPlaces places, const Clock& clock);

  Result<SealedValue> seal(const std::string& user_uuid, const std::string& name, std::uint64_t version,
                           std::string_view value) const;
  // The key of the tokens that are signed now, and that of any that were: null for an id that is not a token key's.
  std::uint32_t token_key_id() const;
  const Key* token_key(std::uint32_t key_id) const;

  // internal_error that names the row, never its value, when the row is not what was sealed.
  Result<Secret> open(const std::string& user_uuid, const StoredSecret& stored) const;

 private:
  using Keys = std::map<std::uint32_t, Key>;  // by id; the newest is the last
  Vault(Keys data_keys, Keys token_keys) : data_keys_(std::move(data_keys)), token_keys_(std::move(token_keys)) {}

  Keys data_keys_;  // not empty, neither of them
  Keys token_keys_;
};

}  // namespace leger
