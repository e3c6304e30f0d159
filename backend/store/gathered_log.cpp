#include "backend/store/gathered_log.h"

#include <sqlite3.h>

#include <cstddef>
#include <new>
#include <string>
#include <string_view>

namespace leger {
namespace {

constexpr const char* kName = "leger-gathered-log";
// SQLite's own files take less than 128 KiB at once: of the size of a write they see the lower 17 bits.
constexpr std::size_t kMostHeld = 64 << 10;

// The log is a row of frames: this header and a page. Where a frame commits, four bytes of its header are not all zero
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
constexpr int kFrameHeader = 24;  // bytes
constexpr std::size_t kCommitMark = 4;
constexpr std::string_view kNoCommit("\0\0\0\0", 4);

// What SQLite knows as the file of the log. The system's file is in the memory behind it.
struct Log : sqlite3_file {
  std::string held;
  sqlite3_int64 at = 0;  // where in the file that begins, or would
  bool commits = false;  // the frame whose header came last
};

constexpr int kRoom = sizeof(Log);
static_assert(kRoom % 8 == 0 && alignof(Log) <= 8, "SQLite's memory is for multiples of 8 bytes");

Log& log_of(sqlite3_file* file) { return *static_cast<Log*>(file); }

sqlite3_file* behind(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(static_cast<Log*>(file) + 1); }

int write_out(sqlite3_file* file) {
  Log& log = log_of(file);
  if (log.held.empty()) return SQLITE_OK;
  sqlite3_file* const system = behind(file);
  const int answer = system->pMethods->xWrite(system, log.held.data(), static_cast<int>(log.held.size()), log.at);
  log.at += static_cast<sqlite3_int64>(log.held.size());
  log.held.clear();
  return answer;
}

// Calls a method of the system's file, when all is written out.
template <auto Method, class... Arguments>
int forward(sqlite3_file* file, Arguments... arguments) {
  if (const int answer = write_out(file); answer != SQLITE_OK) return answer;
  sqlite3_file* const system = behind(file);
  return (system->pMethods->*Method)(system, arguments...);
}

// The same for what does not look at the file's bytes.
template <auto Method, class... Arguments>
int forward_at_once(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* const system = behind(file);
  return (system->pMethods->*Method)(system, arguments...);
}

// What does not go on where the last write ended changes what is there already: at once.
int write_at_once(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  const int answer = forward<&sqlite3_io_methods::xWrite, const void*, int, sqlite3_int64>(file, bytes, count, offset);
  log_of(file).at = offset + count;
  return answer;
}

int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  Log& log = log_of(file);
  const std::string_view added(static_cast<const char*>(bytes), static_cast<std::size_t>(count));
  const bool is_header = count == kFrameHeader;
  if (is_header) log.commits = added.substr(kCommitMark, kNoCommit.size()) != kNoCommit;
  if (offset != log.at + static_cast<sqlite3_int64>(log.held.size())) return write_at_once(file, bytes, count, offset);
  if (log.held.size() + added.size() > kMostHeld) {
    if (const int answer = write_out(file); answer != SQLITE_OK) return answer;
  }
  try {
    log.held += added;
  } catch (const std::bad_alloc&) {
    log.held.clear();  // the commit fails
    return SQLITE_IOERR_NOMEM;
  }
  return log.commits && !is_header ? write_out(file) : SQLITE_OK;
}

// What is still held belongs to no commit.
int close(sqlite3_file* file) {
  const int answer = forward_at_once<&sqlite3_io_methods::xClose>(file);
  log_of(file).~Log();
  return answer;
}

using Methods = sqlite3_io_methods;

constexpr Methods kMethods{
    .iVersion = 1,
    .xClose = close,
    .xRead = forward<&Methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = write,
    .xTruncate = forward<&Methods::xTruncate, sqlite3_int64>,
    .xSync = forward<&Methods::xSync, int>,
    .xFileSize = forward<&Methods::xFileSize, sqlite3_int64*>,
    .xLock = forward_at_once<&Methods::xLock, int>,
    .xUnlock = forward_at_once<&Methods::xUnlock, int>,
    .xCheckReservedLock = forward_at_once<&Methods::xCheckReservedLock, int*>,
    .xFileControl = forward_at_once<&Methods::xFileControl, int, void*>,
    .xSectorSize = forward_at_once<&Methods::xSectorSize>,
    .xDeviceCharacteristics = forward_at_once<&Methods::xDeviceCharacteristics>,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_given) {
  sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
  if (system == nullptr || vfs->szOsFile < system->szOsFile + kRoom) return SQLITE_CANTOPEN;
  if ((flags & SQLITE_OPEN_WAL) == 0) return system->xOpen(system, path, file, flags, flags_given);
  new (file) Log{};
  const int answer = system->xOpen(system, path, behind(file), flags, flags_given);
  file->pMethods = answer == SQLITE_OK ? &kMethods : nullptr;
  return answer;
}

}  // namespace

const char* gathered_log() {
  static sqlite3_vfs vfs;
  static const bool registered = [] {
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    if (system == nullptr) return false;
    vfs = *system;
    vfs.zName = kName;
    vfs.pNext = nullptr;
    vfs.szOsFile += kRoom;
    vfs.xOpen = open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  return registered ? kName : nullptr;
}

}  // namespace leger
