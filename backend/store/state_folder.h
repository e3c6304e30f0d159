#pragma once

// STATE, the folder of the store: made 0700, its files 0600, and held by one process at a time through STATE/lock.
// Owned by Database; any one thread.

#include <memory>
#include <string>

#include "backend/base/error.h"

namespace leger {

class StateFolder {
 public:
  // Makes `path` and what is missing above it (0700), takes the rights of others away from what is there, and locks it.
  // Refused, with what to do: a folder of another account, one that others may write to, another process's.
  static Result<std::unique_ptr<StateFolder>> open(const std::string& path);
  // Lets the next process in.
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  // Makes the database file (0600) before SQLite would with the umask's rights, and narrows one that is there, with its
  // -wal and -shm. SQLite gives those two the rights of the first. Refused: anything but a regular file of ours.
  Result<void> prepare_database_file() const;

  // Both absolute.
  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/leger.db"; }

 private:
  explicit StateFolder(std::string path) : path_(std::move(path)) {}
  Result<void> claim();

  std::string path_;
  int folder_ = -1;
  int lock_ = -1;
};

}  // namespace leger
