#pragma once

// Sealing and opening of secret values: the data keys in memory, unwrapped once at start by the key-encryption key that
// never rests in the state folder. seal() and open() may be called from any thread.

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
  // Reads the key-encryption key, or makes its file when the store has no keys yet, and unwraps the data keys. A
  // missing or wrong key refuses (`unavailable`) and touches nothing.
  static Task<Result<std::unique_ptr<Vault>>> open(Secrets& store, KeyPlaces places, const Clock& clock);

  Result<SealedValue> seal(const std::string& user_uuid, const std::string& name, std::uint64_t version,
                           std::string_view value) const;
  // internal_error that names the row, never its value, when the row is not what was sealed.
  Result<Secret> open(const std::string& user_uuid, const StoredSecret& stored) const;

 private:
  explicit Vault(std::map<std::uint32_t, Key> data_keys) : data_keys_(std::move(data_keys)) {}
  std::map<std::uint32_t, Key> data_keys_;
};

}  // namespace leger
