#pragma once

// SQLite's file system as the tests see it: which of a database's files were synced, in which order, and syncs of the
// log that fail where a test wants it. From before the database is opened until after it was closed.

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace leger::test {

class SyncWatch {
 public:
  enum class LogSyncs { work, fail };

  SyncWatch() : real_(sqlite3_vfs_find(nullptr)), own_(*real_) {
    state() = {};
    state().open = real_->xOpen;
    own_.zName = "leger-sync-watch";
    own_.xOpen = open;
    if (sqlite3_vfs_register(&own_, 1) != SQLITE_OK) throw std::runtime_error("cannot register a VFS");
  }
  SyncWatch(const SyncWatch&) = delete;
  SyncWatch& operator=(const SyncWatch&) = delete;
  ~SyncWatch() {
    sqlite3_vfs_unregister(&own_);
    sqlite3_vfs_register(real_, 1);
  }

  // One letter a sync since the last call: `L` of the write-ahead log, `D` of the database, `-` one that failed; and
  // what note() added.
  std::string take() {
    const std::scoped_lock lock(mutex());
    return std::exchange(state().events, {});
  }
  void note(char event) {
    const std::scoped_lock lock(mutex());
    state().events += event;
  }
  void set(LogSyncs log_syncs) {
    const std::scoped_lock lock(mutex());
    state().log_syncs = log_syncs;
  }

 private:
  using Methods = sqlite3_io_methods;
  struct State {
    decltype(sqlite3_vfs::xOpen) open = nullptr;
    std::map<sqlite3_file*, char> files;                          // their letters
    std::map<const Methods*, std::unique_ptr<Methods>> replaced;  // by what they were made of
    decltype(Methods::xSync) sync = nullptr;
    std::string events;
    LogSyncs log_syncs = LogSyncs::work;
  };
  static State& state() {
    static State state;
    return state;
  }
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }

  // The file is one of the real file system, but for the function that syncs.
  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    const int answer = state().open(vfs, name, file, flags, out);
    if (answer != SQLITE_OK) return answer;
    const std::scoped_lock lock(mutex());
    auto& replaced = state().replaced[file->pMethods];
    if (!replaced) {
      replaced = std::make_unique<Methods>(*file->pMethods);
      state().sync = replaced->xSync;
      replaced->xSync = sync;
    }
    state().files[file] = (flags & SQLITE_OPEN_WAL) != 0 ? 'L' : 'D';
    file->pMethods = replaced.get();
    return SQLITE_OK;
  }

  static int sync(sqlite3_file* file, int flags) {
    {
      const std::scoped_lock lock(mutex());
      const char letter = state().files.at(file);
      const bool fails = letter == 'L' && state().log_syncs == LogSyncs::fail;
      state().events += fails ? '-' : letter;
      if (fails) return SQLITE_IOERR_FSYNC;
    }
    return state().sync(file, flags);
  }

  sqlite3_vfs* real_;
  sqlite3_vfs own_;
};

}  // namespace leger::test
