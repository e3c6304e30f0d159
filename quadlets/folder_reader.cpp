#include "quadlets/folder_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "backend/base/file_handle.h"
#include "quadlets/bundle_paths.h"

namespace leger {
namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr std::size_t kMaxNames = 10'000;  // looked at, hidden ones too
constexpr std::string_view kManifest = "manifest.json";

std::string reason(int errno_value) { return std::generic_category().message(errno_value); }

std::string_view kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "is a symbolic link";
  if (S_ISFIFO(mode)) return "is a named pipe";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

bool unchanged(const struct stat& before, const struct stat& after) {
  return before.st_size == after.st_size && same(before.st_mtim, after.st_mtim) && same(before.st_ctim, after.st_ctim);
}

struct Close {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

// The names in an open folder, sorted, without `.` and `..`; errno where it cannot be read.
std::expected<std::vector<std::string>, int> names_in(int folder) {
  const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return std::unexpected(errno);
  const std::unique_ptr<DIR, Close> stream(::fdopendir(own));
  if (!stream) {
    const int why = errno;
    ::close(own);
    return std::unexpected(why);
  }
  std::vector<std::string> names;
  while (names.size() <= kMaxNames) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr && errno != 0) return std::unexpected(errno);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// Up to `most` bytes of a file and one more, which tells that it has grown; errno where it cannot be read.
std::expected<std::string, int> read_bytes(int file, std::size_t most) {
  std::string bytes(most + 1, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::read(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

// What a file of that many bytes takes up in a tar archive.
std::uint64_t tar_bytes(std::uint64_t file_bytes) {
  constexpr std::uint64_t kBlock = 512;
  return kBlock + (file_bytes + kBlock - 1) / kBlock * kBlock;
}

class Walk {
 public:
  explicit Walk(const BundleLimits& limits) : limits_(limits) {}

  FolderContents run(int root) {
    walk(root, "");
    return std::move(contents_);
  }

 private:
  void problem(const std::string& path, std::string why, Code code = Code::invalid_bundle) {
    contents_.problems.push_back({Severity::error, shown(path), 0, std::move(why), code});
    if (contents_.problems.size() >= kMaxProblems) contents_.is_whole = false;
  }

  // There is too much of something: looking further would only cost time.
  void end(std::string why) {
    contents_.problems.push_back({Severity::error, "", 0, std::move(why), Code::bundle_too_large});
    contents_.is_whole = false;
  }

  // As deep as clean_path lets a path be.
  void walk(int folder, const std::string& prefix) {
    const auto names = names_in(folder);
    if (!names) return problem(prefix, "cannot be read: " + reason(names.error()));
    names_ += names->size();
    if (names_ > kMaxNames) return end("has more than " + std::to_string(kMaxNames) + " files and folders in it");
    for (const std::string& name : *names) {
      take(folder, name, prefix + name);
      if (!contents_.is_whole) return;
    }
  }

  void take(int folder, const std::string& name, const std::string& path) {
    struct stat status{};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return problem(path, "cannot be looked at: " + reason(errno));
    }
    const bool is_folder = S_ISDIR(status.st_mode);
    if (name.starts_with('.')) return contents_.skipped.push_back(shown(path) + (is_folder ? "/" : ""));
    if (const auto clean = clean_path(path, {limits_.levels, limits_.path_bytes}); !clean) {
      return problem(path, clean.error());
    }
    if (is_folder) return take_folder(folder, name, path);
    if (!S_ISREG(status.st_mode)) return problem(path, std::string(kind_of(status.st_mode)));
    if (auto added = paths_.add_file(path); !added) return problem(path, added.error());
    take_file(folder, name, path);
  }

  void take_folder(int folder, const std::string& name, const std::string& path) {
    const FileHandle below(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below) return problem(path, "cannot be opened: " + reason(errno));
    walk(below.get(), path + "/");
  }

  void take_file(int folder, const std::string& name, const std::string& path) {
    if (contents_.files.size() == limits_.entries) {
      return end("has more than " + std::to_string(limits_.entries) + " files");
    }
    // Not blocking, should it have become a named pipe since it was looked at.
    const FileHandle file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) return problem(path, "cannot be opened: " + reason(errno));
    struct stat before{};
    if (::fstat(file.get(), &before) != 0) return problem(path, "cannot be looked at: " + reason(errno));
    if (!S_ISREG(before.st_mode)) return problem(path, "changed while it was read");
    const std::uint64_t most = path == kManifest ? limits_.manifest_bytes : limits_.file_bytes;
    const auto size = static_cast<std::uint64_t>(before.st_size);
    if (size > most) {
      return problem(path, "has " + std::to_string(size) + " bytes, more than " + std::to_string(most),
                     Code::bundle_too_large);
    }
    read_file(file.get(), before, path);
  }

  void read_file(int file, const struct stat& before, const std::string& path) {
    const auto size = static_cast<std::uint64_t>(before.st_size);
    bytes_ += tar_bytes(size);
    if (bytes_ > limits_.unpacked_bytes) {
      return end("has more than " + std::to_string(limits_.unpacked_bytes) + " bytes in its files");
    }
    auto bytes = read_bytes(file, size);
    if (!bytes) return problem(path, "cannot be read: " + reason(bytes.error()));
    struct stat after{};
    if (::fstat(file, &after) != 0 || bytes->size() != size || !unchanged(before, after)) {
      return problem(path, "changed while it was read");
    }
    contents_.files.emplace(path, std::move(*bytes));
  }

  const BundleLimits& limits_;
  FolderContents contents_;
  BundlePaths paths_;
  std::size_t names_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<FolderContents> read_folder(const std::string& folder, const BundleLimits& limits) {
  const FileHandle root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) {
    return Fail({Code::invalid_bundle,
                 "The folder \"" + shown(folder) + "\" cannot be opened: " + reason(errno) + ".",
                 "Check the path and its permissions.",
                 {}});
  }
  return Walk(limits).run(root.get());
}

}  // namespace leger
