#pragma once

// A service of releases over a real store and folder, and uploads that come in parts.

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/crypto/seal.h"
#include "backend/service/release_service.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/host.h"
#include "tests/backend/service/store.h"
#include "tests/quadlets/archives.h"

namespace leger::test {

// Bytes that are sent in parts, and an end that may be an error.
struct Upload {
  std::vector<std::string> parts;
  std::optional<Error> error_at_end;
  std::size_t next = 0;
};

inline Task<Result<std::string>> next_part(std::shared_ptr<Upload> upload) {
  if (upload->next < upload->parts.size()) co_return upload->parts[upload->next++];
  if (upload->error_at_end) co_return Fail(*upload->error_at_end);
  co_return std::string();
}

inline ReleaseService::NextPart sending(std::vector<std::string> parts, std::optional<Error> error = {}) {
  auto upload = std::make_shared<Upload>(Upload{std::move(parts), std::move(error), 0});
  return [upload] { return next_part(upload); };
}

inline std::string bundle(const std::string& content = "1") {
  return make_bundle("shop", {{"web.container", "[Container]\nImage=localhost/web:" + content + "\n"}}, {"token"});
}

inline std::string sha256_of(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

inline std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(42);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class ReleaseHost {
 public:
  explicit ReleaseHost(std::uint32_t keep = 1000)
      : store(folder_.path()), audit(store.loop, *store.database), dir(folder_ / "state/releases") {
    service = make(*store.release_rows, dir, keep);
    REQUIRE(service->prepare());
  }

  std::unique_ptr<ReleaseService> make(Releases& rows, const std::string& folder, std::uint32_t keep = 1000) {
    return std::make_unique<ReleaseService>(store.loop, log_, rows, audit.log,
                                            ReleaseSettings{.folder = folder, .keep = keep, .tidy_every_ms = 0});
  }
  Result<AddOutcome> upload(ReleaseService::NextPart next, std::optional<std::string> sha256 = {}) {
    return run(store.loop, service->upload(at_socket(store.user), std::move(next), std::move(sha256)));
  }
  Result<void> remove(std::uint64_t version) {
    return run(store.loop, service->remove(at_socket(store.user), version));
  }
  // Regular files; links are told by link().
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
      if (entry.is_regular_file() && !entry.is_symlink()) names.insert(entry.path().lexically_relative(dir).string());
    }
    return names;
  }
  // What the user's latest.tar.gz points to; empty where it is not there.
  std::string link() const {
    std::error_code absent;
    return std::filesystem::read_symlink(dir + "/" + store.user + "/latest.tar.gz", absent).string();
  }
  void check_nothing() {
    CHECK(files().empty());
    CHECK(service->count(store.user, {}) == 0U);
  }

 private:
  TemporaryFolder folder_;
  Log log_{LogLevel::error};

 public:
  Store store;
  Audit audit;
  std::string dir;
  std::unique_ptr<ReleaseService> service;
};

}  // namespace leger::test
