#pragma once

// Releases: numbered per user, with what their manifest said. A seam (see users.h). The bundle files themselves are
// backend/service's. Loop thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
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

struct AddOutcome {
  Release release;
  bool created = false;  // false: the newest release of that name had the same bytes
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
  // Allots the version inside the inserting transaction (numbers are never used twice) and sets id-independent fields
  // `version` and `r2_path`; `place` puts the file where `r2_path` says, durably, on the writer's thread before the
  // commit. Where the newest release of the same name has the same sha256, nothing is placed and that one is the
  // outcome.
  virtual Task<Result<AddOutcome>> add(Release release, std::function<Result<void>(const Release&)> place) = 0;
};

class SqliteReleases final : public Releases {
 public:
  explicit SqliteReleases(Database& database) : database_(database) {}
  Result<std::vector<Release>> list(const ReleaseQuery& query) override;
  Result<std::uint64_t> count(const std::string& user_uuid, const std::string& deployment_name) override;
  Result<Release> get(const std::string& user_uuid, std::uint64_t version) override;
  Result<Release> latest(const std::string& user_uuid, const std::string& deployment_name) override;
  Task<Result<AddOutcome>> add(Release release, std::function<Result<void>(const Release&)> place) override;

 private:
  Database& database_;
};

}  // namespace leger
