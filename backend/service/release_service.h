#pragma once

// The rules of releases: a bundle is streamed to a temporary file while it is hashed, checked whole, put in its place
// durably, and only then recorded; what fails leaves nothing. Files are below STATE/releases. Loop thread; the work on
// files is the pool's.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/store/releases.h"

namespace leger {

class ReleaseService {
 public:
  // Gives the next bytes of an upload, nothing at its end.
  using NextPart = std::function<Task<Result<std::string>>()>;

  // `releases_dir` is STATE/releases; the references outlive this.
  ReleaseService(Loop& loop, Releases& store, std::string releases_dir);

  // Makes the folder, and removes what interrupted uploads left.
  Result<void> prepare();

  // invalid_bundle, bundle_too_large, or what `next_part` fails with; the outcome says whether it is a new release.
  // `expected_sha256`: lower-case hex that the bytes must have, where given.
  Task<Result<AddOutcome>> upload(std::string user_uuid, NextPart next_part,
                                  std::optional<std::string> expected_sha256);

  Result<std::vector<Release>> list(const ReleaseQuery& query) { return store_.list(query); }
  Result<std::uint64_t> count(const std::string& user_uuid, const std::string& deployment_name) {
    return store_.count(user_uuid, deployment_name);
  }
  Result<Release> get(const std::string& user_uuid, std::uint64_t version) { return store_.get(user_uuid, version); }
  Result<Release> latest(const std::string& user_uuid, const std::string& name) {
    return store_.latest(user_uuid, name);
  }

  // Where the bytes of a release are.
  std::string path_of(const Release& release) const { return releases_dir_ + "/" + release.r2_path; }

 private:
  class Incoming;
  Task<Result<void>> receive(Incoming& incoming, NextPart next_part);

  Loop& loop_;
  Releases& store_;
  std::string releases_dir_;
};

}  // namespace leger
