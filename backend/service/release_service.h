#pragma once

// The rules of releases: a bundle is streamed to a temporary file while it is hashed, checked whole, put in its place
// durably, and only then recorded; what fails leaves nothing. A row goes before its file does. Loop thread; the work on
// files is the pool's, and the writer's where it belongs to a transaction.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/audit_log.h"
#include "backend/service/incoming_bundle.h"
#include "backend/service/release_folder.h"
#include "backend/store/releases.h"
#include "quadlets/manifest.h"

namespace leger {

struct ReleaseSettings {
  std::string folder;      // STATE/releases
  std::uint32_t keep = 1;  // of each app, beside what deployments hold on to
  // After a change, files that no release has go and latest.tar.gz follows, but not more often than once in this time.
  std::uint64_t tidy_every_ms = 20;
};

// A part of a stored bundle: its bytes where they are few, else the open file, which stays whole whatever happens to
// the release.
struct BundlePart {
  std::string bytes;
  FileHandle file;
};

class ReleaseService {
 public:
  // Gives the next bytes of an upload, nothing at its end.
  using NextPart = std::function<Task<Result<std::string>>()>;

  // Parts up to this many bytes come as bytes.
  static constexpr std::uint64_t kFewBytes = 64 * 1024;

  // The references outlive this.
  ReleaseService(Loop& loop, const Log& log, Releases& store, const AuditLog& audit, ReleaseSettings settings);

  // Makes the folder, removes what a crash left and says what is missing. Blocks: for the start.
  Result<void> prepare();

  // invalid_bundle, bundle_too_large, or what `next_part` fails with; the outcome says whether it is a new release.
  // `expected_sha256`: lower-case hex that the bytes must have, where given. latest.tar.gz follows soon after.
  Task<Result<AddOutcome>> upload(Actor actor, NextPart next_part, std::optional<std::string> expected_sha256);

  Result<std::vector<Release>> list(const ReleaseQuery& query) { return store_.list(query); }
  Result<std::uint64_t> count(const std::string& user_uuid, const std::string& deployment_name) {
    return store_.count(user_uuid, deployment_name);
  }
  Result<Release> get(const std::string& user_uuid, std::uint64_t version) { return store_.get(user_uuid, version); }
  Result<Release> latest(const std::string& user_uuid, const std::string& name) {
    return store_.latest(user_uuid, name);
  }

  // `length` bytes of the bundle from `offset`. release_not_found where it was deleted just now, internal_error where
  // the file is not what the store says.
  Task<Result<BundlePart>> read(Release release, std::uint64_t offset, std::uint64_t length);
  // One file of the bundle; not_found with {"files":[…]}; invalid_request where it is not text.
  Task<Result<std::string>> read_text(Release release, std::string name);

  // release_not_found; conflict while a deployment holds on to it. The file goes soon after.
  Task<Result<void>> remove(Actor actor, std::uint64_t version);

  // Where the bytes of a release are.
  std::string path_of(const Release& release) const { return folder_.path_of(release.r2_path); }

 private:
  using Incoming = std::shared_ptr<IncomingBundle>;

  // What is to be done in a user's folder.
  struct Untidy {
    std::vector<std::string> gone;  // `r2_path` of rows that went
    bool is_due = false;
  };

  OneShot<Result<void>> begin(std::function<Result<void>()> work);
  Task<Result<std::string>> receive(Incoming incoming, NextPart next_part);
  Task<Result<Manifest>> finish(Incoming incoming, std::string last, std::optional<std::string> expected_sha256);
  Task<Result<AddOutcome>> keep(Incoming incoming, Actor actor, NextPart next_part,
                                std::optional<std::string> expected_sha256);
  Task<Result<AddOutcome>> record(Incoming incoming, AddRelease add);
  void tidy_soon(const std::string& user_uuid, const std::vector<std::string>& gone);
  Task<void> tidy(std::string user_uuid);
  Error unreadable(const Release& release, const Error& why);

  Loop& loop_;
  const Log& log_;
  Releases& store_;
  const AuditLog& audit_;
  const std::uint32_t keep_;
  const std::uint64_t tidy_every_ms_;
  std::optional<std::uint64_t> tidied_at_ms_;
  ReleaseFolder folder_;
  std::map<std::string, Untidy> untidy_;  // by user, while somebody is at it
};

}  // namespace leger
