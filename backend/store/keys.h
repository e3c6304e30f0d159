#pragma once

// The wrapped keys as they rest, and the passages from one key to the next: rows of secrets are sealed anew in small
// transactions, wrapped keys are replaced in one. Knows no key in the clear. Loop thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"
#include "backend/store/secrets.h"

namespace leger {

struct WrappedKey {
  std::uint32_t key_id = 0;  // one number for all purposes
  std::string purpose;       // `secrets` or `tokens`
  std::string nonce;
  std::string ciphertext;
  std::string tag;
  std::string created_at;
};

// Opens a row with its key and seals it with the newest. Called on the writer's thread.
using Reseal = std::function<Result<SealedValue>(const std::string& user_uuid, const StoredSecret& stored)>;

// Where a passage through the rows of older keys stands: after the row of this key and nonce.
struct ResealPosition {
  std::uint32_t key_id = 0;
  std::string nonce;
};

struct Resealed {
  std::uint32_t sealed = 0;
  std::vector<Error> refused;          // why rows could not be sealed anew; they stay as they are
  std::optional<ResealPosition> next;  // nothing at the end
};

class KeyStore {
 public:
  explicit KeyStore(Database& database) : database_(database) {}

  // By id.
  Result<std::vector<WrappedKey>> wrapped_keys();
  // conflict where there is a key of that id. `audit`: nothing for the first keys of a store.
  Task<Result<void>> add(WrappedKey key, std::optional<AuditRecord> audit);

  // Seals at most `most` versions anew, of those with an older key than `newest` that come after `from`, in one
  // transaction; fewer where they are large. A row that `reseal` refuses is passed by.
  Task<Result<Resealed>> reseal(std::uint32_t newest, ResealPosition from, std::uint32_t most, Reseal reseal);
  // Drops the secrets' keys other than `newest` that no version needs, and the traces that resealing left in the log;
  // the end of a rotation. How many were dropped; `audit` is appended where there were any.
  Task<Result<std::uint32_t>> drop_unused(std::uint32_t newest, AuditRecord audit);

  // Replaces every wrapped key by the one of the same id, and notes where the file of the new key-encryption key is:
  // all or nothing, and no trace of the old ones in the log. conflict where `keys` are not those that are there.
  Task<Result<void>> rewrap(std::vector<WrappedKey> keys, std::string new_key_file, AuditRecord audit);
  // The note of rewrap(); nothing when it was never needed or has been forgotten.
  Result<std::optional<std::string>> new_key_file();
  Task<Result<void>> forget_new_key_file();

 private:
  Database& database_;
};

}  // namespace leger
