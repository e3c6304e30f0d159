#pragma once

// Small files that hold secrets: read only where nobody else can, replaced as a whole or not at all. Blocking, any
// thread; between processes a FolderLock keeps changes apart.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/secret.h"

namespace leger {

// All of the file. The error is not_found where there is none; insufficient_permissions where others may read it, where
// it is another account's or no regular file (a link is none); body_too_large beyond `max_bytes`.
Result<Secret> read_private_file(const std::string& path, std::size_t max_bytes);

// Replaces the file, mode 0600, in one step that survives a crash; its folder exists. Under the folder's lock: the
// temporary file beside it has one name.
Result<void> replace_private_file(const std::string& path, std::string_view content);

// Makes the folder and those above it, mode 0700 each; an existing one stays as it is.
Result<void> make_private_folder(const std::string& path);

// Held while files of a folder are read and replaced.
class FolderLock {
 public:
  // unavailable where another process holds it for `wait_ms`.
  static Result<FolderLock> take(const std::string& folder, std::uint64_t wait_ms);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace leger
