#pragma once

// The temporary file of one upload, written and hashed in the pool; gone with the object unless it was put in its
// place. One thread at a time.

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"
#include "backend/crypto/seal.h"

namespace leger {

class IncomingBundle {
 public:
  // The file will be in `folder`, STATE/releases.
  explicit IncomingBundle(const std::string& folder);
  IncomingBundle(const IncomingBundle&) = delete;
  IncomingBundle& operator=(const IncomingBundle&) = delete;
  ~IncomingBundle() { discard(); }

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Of all that was appended, lower-case hex; nothing is appended afterwards.
  const std::string& sha256();

  // The disk begins with it at once.
  Result<void> append(std::string_view part);
  // Durable, and with it what was done to its name before, where the file system has one journal.
  Result<void> sync() const;
  // From here on the file is the release's.
  void placed() { is_ours_ = false; }
  // Removes the file at `path` where it is this one.
  void remove_at(const std::string& path) const;
  void discard();

 private:
  std::string path_;
  FileHandle file_;
  bool is_ours_ = false;
  std::uint64_t size_ = 0;
  Sha256 hash_;
  std::string sha256_;
};

}  // namespace leger
