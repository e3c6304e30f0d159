#pragma once

// Sealing and opening of secret values, and the keys that sign tokens: both kinds in memory, unwrapped once at start by
// the key-encryption key that never rests in the state folder. seal(), open() of a value, reseal() and the token keys
// may be asked from any thread, all else from the loop's. Which key follows which is KeyRotation's to say.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/crypto/key.h"
#include "backend/service/key_places.h"
#include "backend/store/keys.h"
#include "backend/store/secrets.h"

namespace leger {

// A data key that is not in use yet, and what is stored of it.
struct NewDataKey {
  std::shared_ptr<const Key> key;
  WrappedKey wrapped;
};

class Vault {
 public:
  // Reads the key-encryption key, or makes its file when the store has no keys yet, unwraps the keys of the store, and
  // makes the first one of a purpose that has none. While the store notes a new key file, that one is tried after the
  // configured one; the note is forgotten when the configured one opens everything. Keys of which none opens all there
  // is, and a key file inside the state folder, refuse and touch nothing.
  static Task<Result<std::unique_ptr<Vault>>> open(KeyStore& store, KeyPlaces places, const Clock& clock);

  Result<SealedValue> seal(const std::string& user_uuid, const std::string& name, std::uint64_t version,
                           std::string_view value) const;
  // internal_error that names the row, never its value, when the row is not what was sealed.
  Result<Secret> open(const std::string& user_uuid, const StoredSecret& stored) const;
  // The same value under the newest key.
  Result<SealedValue> reseal(const std::string& user_uuid, const StoredSecret& stored) const;

  // The key of the tokens that are signed now, and that of any that were: null for an id that is not a token key's.
  std::uint32_t token_key_id() const;
  const Key* token_key(std::uint32_t key_id) const;

  // The ids of the data keys, the newest last; never empty.
  std::vector<std::uint32_t> data_key_ids() const;
  Result<NewDataKey> make_data_key(std::uint32_t key_id, const Clock& clock) const;
  // Seals with it from now on. It is stored already, and its id is above all others.
  void use_data_key(const NewDataKey& made);
  // Forgets the data keys that are not among `stored`, since no row needs them any more.
  void keep_data_keys(const std::vector<WrappedKey>& stored);

  const KeyPlaces& places() const { return places_; }
  // The same keys under another key-encryption key; conflict where that is the one in use.
  Result<std::vector<WrappedKey>> rewrap(const std::vector<WrappedKey>& stored, const Key& kek) const;
  // Wraps with it from now on: what is stored is wrapped with it already.
  void use_kek(Key kek, std::string file);
  // The file of the key-encryption key in use where that is not the configuration's yet.
  const std::optional<std::string>& new_key_file() const { return new_key_file_; }

 private:
  using Keys = std::map<std::uint32_t, std::shared_ptr<const Key>>;  // by id; the newest is the last
  struct Opened;

  Vault(KeyPlaces places, Opened opened);
  static Result<Opened> open_all(Key kek, const std::vector<WrappedKey>& rows);
  static Result<Opened> open_with_any(const KeyPlaces& places, const std::optional<std::string>& noted,
                                      const std::vector<WrappedKey>& rows);
  std::shared_ptr<const Keys> data_keys() const;
  void publish(Keys keys);

  const KeyPlaces places_;
  Key kek_;
  std::optional<std::string> new_key_file_;
  Keys token_keys_;  // not empty
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> data_keys_;  // replaced, never changed; not empty
};

}  // namespace leger
