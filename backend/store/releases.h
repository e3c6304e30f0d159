#pragma once

// Releases: numbered per user, with what their manifest said. A seam (see users.h). The bundle files themselves are
// backend/service's. Changes come with the row of the audit that tells of them. Loop thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"

namespace leger {

struct Release {
  std::string id;
  std::string user_uuid;
  std::uint64_t version = 0;
  std::string deployment_name;
  std::string r2_path;  // {user_uuid}/v{N}.tar.gz, below the releases folder
  std::uint64_t bundle_size_bytes = 0;
  std::string sha256;  // lower-case hex of the bundle
  std::string created_at;
  std::vector<std::string> files;
  std::vector<std::string> services;
  std::vector<std::string> secrets_required;
};

struct ReleaseQuery {
  std::string user_uuid;
  std::string deployment_name;  // empty: every one
  std::uint64_t before = 0;     // versions below it; 0: from the newest
  std::uint32_t limit = 100;
};

struct AddRelease {
  Release release;         // `version` and `r2_path` are set here
  std::uint32_t keep = 1;  // so many of its name stay, the newest, beside those of deployments
  AuditRecord audit;       // its version is set here
  // Puts the file where `r2_path` says, durably, on the writer's thread before the commit.
  std::function<Result<void>(const Release&)> place;
};

struct AddOutcome {
  Release release;
  bool created = false;              // false: the newest release of that name had the same bytes
  std::vector<std::string> dropped;  // `r2_path` of those that had to go; their rows are gone
};

class Releases {
 public:
  virtual ~Releases() = default;
  // Newest first.
  virtual Result<std::vector<Release>> list(const ReleaseQuery& query) = 0;
  virtual Result<std::uint64_t> count(const std::string& user_uuid, const std::string& deployment_name) = 0;
  // release_not_found for an absent or foreign one alike.
  virtual Result<Release> get(const std::string& user_uuid, std::uint64_t version) = 0;
  // The newest, of one name where it is not empty.
  virtual Result<Release> latest(const std::string& user_uuid, const std::string& deployment_name) = 0;
  // `r2_path` of every release, of all users.
  virtual Result<std::vector<std::string>> paths() = 0;
  // Allots the version inside the inserting transaction: numbers are never used twice. Where the newest release of the
  // same name has the same sha256, nothing is placed, nothing goes on record and that one is the outcome.
  virtual Task<Result<AddOutcome>> add(AddRelease add) = 0;
  // Deletes the row; the release as it was. release_not_found; conflict, with {"apps":[…]} in `details`, while one is
  // deployed from it, is being so, or can be rolled back to it.
  virtual Task<Result<Release>> remove(std::string user_uuid, std::uint64_t version, AuditRecord audit) = 0;
  // Runs `work` on the writer's thread, where no add() is under way.
  virtual Task<void> between(std::function<void()> work) = 0;
};

class SqliteReleases final : public Releases {
 public:
  explicit SqliteReleases(Database& database) : database_(database) {}
  Result<std::vector<Release>> list(const ReleaseQuery& query) override;
  Result<std::uint64_t> count(const std::string& user_uuid, const std::string& deployment_name) override;
  Result<Release> get(const std::string& user_uuid, std::uint64_t version) override;
  Result<Release> latest(const std::string& user_uuid, const std::string& deployment_name) override;
  Result<std::vector<std::string>> paths() override;
  Task<Result<AddOutcome>> add(AddRelease add) override;
  Task<Result<Release>> remove(std::string user_uuid, std::uint64_t version, AuditRecord audit) override;
  Task<void> between(std::function<void()> work) override;

 private:
  Database& database_;
};

}  // namespace leger
