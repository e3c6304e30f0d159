#pragma once

// STATE/releases on the disk: USER/vN.tar.gz, and beside them USER/latest.tar.gz, a relative symbolic link to the
// newest: it tells which that is, costs no fsync, and does not keep a deleted bundle's bytes as a hard link would. It
// is for people; nothing here reads it. Blocking: for the pool and the writer's thread. Owned by ReleaseService.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"
#include "backend/service/incoming_bundle.h"

namespace leger {

class ReleaseFolder {
 public:
  static constexpr std::string_view kIncomingPrefix = ".incoming-";

  explicit ReleaseFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string path_of(const std::string& r2_path) const { return path_ + "/" + r2_path; }

  // Makes the folder, durably.
  Result<void> make() const;

  struct Leftovers {
    std::vector<std::string> orphans;  // bundles without a row: removed
    std::vector<std::string> missing;  // rows without a bundle
    std::vector<Error> unmended;       // why a latest.tar.gz is not as it should be
  };
  // What a crash left: interrupted uploads and bundles without a row are removed, latest.tar.gz is mended. `recorded`
  // are the `r2_path` of all releases. Other files are not touched. For a start, when nothing else is under way.
  Result<Leftovers> collect(const std::vector<std::string>& recorded) const;

  // Moves the file, which is on the same disk, to its place, and makes both durable. Writer's thread only.
  Result<void> place(const IncomingBundle& incoming, const std::string& r2_path);

  // A bundle to be read; internal_error where it is not there or has another size than the store says.
  Result<FileHandle> open(const std::string& r2_path, std::uint64_t bytes) const;

  // Absent is as good as removed.
  Result<void> remove(const std::string& r2_path) const;

  // Switches latest.tar.gz of a user to that version, atomically; 0 takes it away.
  Result<void> point_latest(const std::string& user_uuid, std::uint64_t version) const;

 private:
  Result<void> collect_user(const std::string& user, std::set<std::uint64_t> expected, Leftovers& left) const;

  std::string path_;
  std::set<std::string> durable_;  // users' folders that are known to be on the disk; writer's thread only
};

}  // namespace leger
