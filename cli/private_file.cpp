#include "cli/private_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "backend/base/file_handle.h"
#include "cli/output.h"
#include "cli/shell_word.h"

namespace leger {
namespace {

constexpr int kLockPauseMs = 10;

Fail put_aside(const std::string& path, std::string_view why) {
  const std::string word = shell_word(path);
  return Fail({Code::insufficient_permissions,
               "The file " + in_quotes(path) + " " + std::string(why),
               "Put it aside:\n  mv " + word + " " + word + ".old",
               {}});
}

// What keeps the open file from being read; nothing where all is well.
std::optional<Fail> refusal(const std::string& path, int fd, std::size_t max_bytes) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return Fail(system_error("Looking at " + in_quotes(path), errno));
  if (!S_ISREG(status.st_mode)) return put_aside(path, "is not a regular file.");
  if (status.st_uid != geteuid()) return put_aside(path, "belongs to another account.");
  if ((status.st_mode & 077) != 0) {
    return Fail({Code::insufficient_permissions,
                 "The file " + in_quotes(path) + " can be read by others.",
                 "Close it:\n  chmod 600 " + shell_word(path),
                 {}});
  }
  if (std::cmp_greater(status.st_size, max_bytes)) {
    return Fail({Code::body_too_large,
                 "The file " + in_quotes(path) + " is longer than " + std::to_string(max_bytes) + " bytes.",
                 {},
                 {}});
  }
  return std::nullopt;
}

// 0, or the errno that ended it.
int write_whole(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

Result<Secret> read_private_file(const std::string& path, std::size_t max_bytes) {
  // Not blocking: a pipe in its place has nobody who writes.
  const FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0 && errno == ENOENT) {
    return Fail({Code::not_found, "There is no file " + in_quotes(path) + ".", {}, {}});
  }
  if (file.get() < 0 && (errno == ELOOP || errno == ENXIO)) return put_aside(path, "is not a regular file.");
  if (file.get() < 0) return Fail(system_error("Opening " + in_quotes(path), errno));
  if (const auto refused = refusal(path, file.get(), max_bytes)) return *refused;
  Secret content;
  std::string& buffer = content.buffer();
  buffer.resize(max_bytes);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t count = read(file.get(), buffer.data() + size, buffer.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(system_error("Reading " + in_quotes(path), errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  buffer.resize(size);  // what lies behind was never filled
  return content;
}

Result<void> replace_private_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());  // left by a crash
  int problem = 0;
  {
    const FileHandle file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return Fail(system_error("Making " + in_quotes(fresh), errno));
    problem = write_whole(file.get(), content);
  }
  if (problem == 0 && rename(fresh.c_str(), path.c_str()) != 0) problem = errno;
  if (problem != 0) {
    unlink(fresh.c_str());
    return Fail(system_error("Writing " + in_quotes(path), problem));
  }
  const FileHandle folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return Fail(system_error("Writing " + in_quotes(path), errno));
  return {};
}

Result<void> make_private_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  const std::string above = folder_of(path);
  if (errno != ENOENT || above.empty() || above == path) {
    return Fail(system_error("Making the folder " + in_quotes(path), errno));
  }
  const auto made = make_private_folder(above);
  if (!made) return made;
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Fail(system_error("Making the folder " + in_quotes(path), errno));
}

Result<FolderLock> FolderLock::take(const std::string& folder, std::uint64_t wait_ms) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Fail(system_error("Opening the folder " + in_quotes(folder), errno));
  FolderLock lock(fd);
  for (std::uint64_t waited_ms = 0;; waited_ms += kLockPauseMs) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK && errno != EINTR) return Fail(system_error("Locking " + in_quotes(folder), errno));
    if (waited_ms >= wait_ms) break;
    poll(nullptr, 0, kLockPauseMs);
  }
  return Fail({Code::unavailable,
               "Another process holds the folder " + in_quotes(folder) + ".",
               "Is another leger running? Try again when it has ended.",
               {}});
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace leger
