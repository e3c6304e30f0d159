#pragma once

// A new folder that is filled and then kept, or gone again: every path is walked from it without following a link, so
// that nothing leads out, whatever the names say. Blocking; one thread.

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "backend/base/error.h"
#include "backend/base/file_handle.h"

namespace leger {

class FolderWriter {
 public:
  // Makes `folder` (0700), which must not exist; the folder above it must.
  static Result<FolderWriter> create(const std::string& folder);
  FolderWriter(FolderWriter&& other) noexcept
      : folder_(std::exchange(other.folder_, {})),
        root_(std::move(other.root_)),
        file_(std::move(other.file_)),
        file_path_(std::move(other.file_path_)),
        folders_(std::move(other.folders_)) {}
  FolderWriter& operator=(FolderWriter&& other) noexcept = delete;
  // Removes the folder and all that is in it, unless keep() succeeded.
  ~FolderWriter();

  // A folder (0700) with those above it; one that is there already is fine. `path` is relative, without `.` and `..`.
  Result<void> add_folder(const std::string& path);
  // A new file (0600), open for write() until end_file() has brought it to the disk.
  Result<void> begin_file(const std::string& path);
  Result<void> write(std::string_view bytes);
  Result<void> end_file();
  // Brings every folder to the disk, and the one above; from here on the folder stays.
  Result<void> keep();

 private:
  FolderWriter(std::string folder, FileHandle root) : folder_(std::move(folder)), root_(std::move(root)) {}
  Result<FileHandle> open_below(const std::string& path, int flags) const;
  Result<void> sync_below(const std::string& path) const;
  Fail failed(std::string_view what, const std::string& path, int errno_value) const;

  std::string folder_;  // empty: kept, or moved from
  FileHandle root_;
  FileHandle file_;
  std::string file_path_;
  std::set<std::string> folders_;  // relative, all that were made
};

}  // namespace leger
