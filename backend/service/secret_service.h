#pragma once

// The rules of secrets: names, sizes, versions, encryption, and that every access is on record. Knows no HTTP and no
// SQL. Loop thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/audit_log.h"
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
  using OnSealed = std::function<void(std::uint64_t seals)>;

  // All outlive this. `keep_versions` newest values of each secret are kept; `on_sealed` hears after each write how
  // often its key has sealed.
  SecretService(Secrets& store, const Vault& vault, AuditLog& audit, std::uint32_t keep_versions, OnSealed on_sealed)
      : store_(store), vault_(vault), audit_(audit), keep_versions_(keep_versions), on_sealed_(std::move(on_sealed)) {}

  // At most `limit` secrets by name, those after `after`.
  Result<std::vector<SecretInfo>> list(const std::string& user_uuid, const std::string& after, std::uint32_t limit);
  Result<std::uint64_t> count(const std::string& user_uuid);
  // The value, for somebody: its record is with the kernel when this returns. invalid_secret_name, secret_not_found,
  // unavailable where it cannot be put on record.
  Task<Result<SecretValue>> read(Actor actor, std::string name, std::optional<std::uint64_t> version);
  enum class Lookup { answer, refuse };
  // The same for Podman, at the start of a container; `refuse` only puts on record that it was asked for.
  Task<Result<SecretValue>> look_up(Actor actor, std::string name, std::uint64_t version, Lookup lookup);
  // Whether the current value could be read; it goes nowhere, and nothing is on record.
  Result<SecretInfo> check(const std::string& user_uuid, const std::string& name);
  // The versions that are kept, newest first. invalid_secret_name, secret_not_found
  Result<std::vector<SecretVersion>> versions(const std::string& user_uuid, const std::string& name);
  // 1 to 511 999 bytes of any kind, kept as they are. invalid_secret_name, secret_value_too_large, invalid_request for
  // an empty one, conflict by `if_version`.
  Task<Result<PutOutcome>> set(Actor actor, std::string name, Secret value, std::optional<std::uint64_t> if_version);
  // A new version with the value of an older one. secret_not_found where that is not kept; conflict where the secret
  // changes meanwhile.
  Task<Result<PutOutcome>> roll_back(Actor actor, std::string name, std::uint64_t version);
  // Gives the time of the deletion. conflict while a deployment that could come back uses it.
  Task<Result<std::string>> remove(Actor actor, std::string name);

 private:
  Result<SecretValue> open(const std::string& user_uuid, const std::string& name, std::optional<std::uint64_t> version);
  Task<Result<PutOutcome>> put(AuditRecord audit, Secret value, std::optional<std::uint64_t> if_version);
  Task<void> record_failure(AuditRecord audit, const Error& error);

  Secrets& store_;
  const Vault& vault_;
  AuditLog& audit_;
  std::uint32_t keep_versions_;
  OnSealed on_sealed_;
};

}  // namespace leger
