#pragma once

// The rules of secrets: names, sizes, versions, encryption. Knows no HTTP and no SQL. Loop thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/service/vault.h"
#include "backend/store/secrets.h"

namespace leger {

inline constexpr std::size_t kMaxSecretBytes = 511'999;  // Podman's own bound

struct SecretValue {
  SecretInfo info;
  Secret value;
};

class SecretService {
 public:
  // All outlive this. `keep_versions` newest values of each secret are kept.
  SecretService(Secrets& store, const Vault& vault, const Clock& clock, std::uint32_t keep_versions)
      : store_(store), vault_(vault), clock_(clock), keep_versions_(keep_versions) {}

  // At most `limit` secrets by name, those after `after`.
  Result<std::vector<SecretInfo>> list(const std::string& user_uuid, const std::string& after, std::uint32_t limit);
  Result<std::uint64_t> count(const std::string& user_uuid);
  // invalid_secret_name, secret_not_found
  Result<SecretValue> get(const std::string& user_uuid, const std::string& name, std::optional<std::uint64_t> version);
  // 1 to 511 999 bytes of any kind, kept as they are. invalid_secret_name, secret_value_too_large, invalid_request for
  // an empty one, conflict by `if_version`.
  Task<Result<PutOutcome>> set(std::string user_uuid, std::string name, Secret value,
                               std::optional<std::uint64_t> if_version);
  // Gives the time of the deletion.
  Task<Result<std::string>> remove(std::string user_uuid, std::string name);

 private:
  Secrets& store_;
  const Vault& vault_;
  const Clock& clock_;
  std::uint32_t keep_versions_;
};

}  // namespace leger
