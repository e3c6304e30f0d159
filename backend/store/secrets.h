#pragma once

// Secrets as they rest: ciphertext rows with their versions. A seam (see users.h). Knows no
// key and no plaintext. Loop thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"
#include "backend/store/seal_count.h"
#include "backend/store/secret_cache.h"
#include "backend/store/stored_secret.h"

namespace leger {

struct SecretVersion {
  std::uint64_t version = 0;
  std::string created_at;  // RFC 3339
  bool is_current = false;
};

struct PutSecret {
  std::string user_uuid;
  std::string name;
  std::string now;                          // RFC 3339
  std::optional<std::uint64_t> if_version;  // 0: must not exist
  std::uint32_t keep_versions = 10;         // older ones are dropped, but for those that deployments hold on to
  AuditRecord audit;                        // of the change, in its transaction; the version is filled in
  // Called on the writer's thread with the number this value gets; what it captures lives until the write has ended.
  std::function<Result<SealedValue>(std::uint64_t version)> seal;
};

struct PutOutcome {
  SecretInfo info;
  bool created = false;
  Seals seals;  // of the key of this value, this one included
};

class Secrets {
 public:
  virtual ~Secrets() = default;
  // By name, those after `after` (empty: from the start), at most `limit`.
  virtual Result<std::vector<SecretInfo>> list(const std::string& user_uuid, const std::string& after,
                                               std::uint32_t limit) = 0;
  virtual Result<std::uint64_t> count(const std::string& user_uuid) = 0;
  // The current or the given version; secret_not_found for an absent, deleted or foreign one alike.
  virtual Result<StoredSecret> get(const std::string& user_uuid, const std::string& name,
                                   std::optional<std::uint64_t> version) = 0;
  // Allots the next number (never one used before, deleted secrets included), seals and inserts in one transaction.
  // conflict where `if_version` is not the current version; its `details` are {"version":N}.
  virtual Task<Result<PutOutcome>> put(PutSecret put) = 0;
  // The versions that are kept, newest first; secret_not_found as in get().
  virtual Result<std::vector<SecretVersion>> versions(const std::string& user_uuid, const std::string& name) = 0;
  // Its versions are gone, ciphertext too; the number it had reached is kept. conflict, with {"apps":[…]} in `details`,
  // while a live, unfinished or kept deployment of this user was made with it.
  virtual Task<Result<void>> remove(std::string user_uuid, std::string name, std::string now, AuditRecord audit) = 0;
};

class SqliteSecrets final : public Secrets {
 public:
  explicit SqliteSecrets(Database& database) : database_(database) {}
  Result<std::vector<SecretInfo>> list(const std::string& user_uuid, const std::string& after,
                                       std::uint32_t limit) override;
  Result<std::uint64_t> count(const std::string& user_uuid) override;
  Result<StoredSecret> get(const std::string& user_uuid, const std::string& name,
                           std::optional<std::uint64_t> version) override;
  Task<Result<PutOutcome>> put(PutSecret put) override;
  Result<std::vector<SecretVersion>> versions(const std::string& user_uuid, const std::string& name) override;
  Task<Result<void>> remove(std::string user_uuid, std::string name, std::string now, AuditRecord audit) override;

 private:
  Database& database_;
  SecretCache cache_;
  std::shared_ptr<SealCount> seal_count_ = std::make_shared<SealCount>();  // the writer's jobs hold it too
};

}  // namespace leger
