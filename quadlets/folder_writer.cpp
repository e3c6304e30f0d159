#include "quadlets/folder_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

Result<FolderWriter> FolderWriter::create(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) return Fail(system_error("The folder " + folder + " cannot be made", errno));
  FileHandle root(::open(folder.c_str(), kFolderFlags));
  if (!root) {
    const int why = errno;
    ::rmdir(folder.c_str());
    return Fail(system_error("The folder " + folder + " cannot be opened", why));
  }
  return FolderWriter(folder, std::move(root));
}

FolderWriter::~FolderWriter() {
  if (folder_.empty()) return;
  std::error_code ignored;  // who asked has an error already, and the staging folder is swept at the next start
  std::filesystem::remove_all(folder_, ignored);
}

Fail FolderWriter::failed(std::string_view what, const std::string& path, int errno_value) const {
  return Fail(system_error(folder_ + "/" + path + " cannot be " + std::string(what), errno_value));
}

// Segment by segment, no link followed: what openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) would give for paths that
// clean_path has passed. openat2 itself answers ENOSYS below systemd's RestrictSUIDSGID=, which legerd's unit keeps.
Result<FileHandle> FolderWriter::open_below(const std::string& path, int flags) const {
  const std::vector<std::string_view> segments = split(path.empty() ? "." : std::string_view(path), '/');
  FileHandle above;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    const std::string name(segments[i]);
    const int from = above ? above.get() : root_.get();
    FileHandle next(::openat(from, name.c_str(), (last ? flags : kFolderFlags) | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!next) return failed("opened", path, errno);
    above = std::move(next);
  }
  return above;
}

Result<void> FolderWriter::add_folder(const std::string& path) {
  if (path.empty() || folders_.contains(path)) return {};
  const std::string above = folder_of(path);
  if (auto made = add_folder(above); !made) return made;
  const auto parent = open_below(above, kFolderFlags);
  if (!parent) return Fail(parent.error());
  const std::string name = above.empty() ? path : path.substr(above.size() + 1);
  if (::mkdirat(parent->get(), name.c_str(), 0700) != 0) return failed("made", path, errno);
  folders_.insert(path);
  return {};
}

Result<void> FolderWriter::begin_file(const std::string& path) {
  if (auto made = add_folder(folder_of(path)); !made) return made;
  auto file = open_below(path, O_WRONLY | O_CREAT | O_EXCL);
  if (!file) return Fail(file.error());
  file_ = std::move(*file);
  file_path_ = path;
  return {};
}

Result<void> FolderWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("written", file_path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> FolderWriter::end_file() {
  if (::fsync(file_.get()) != 0) return failed("brought to the disk", file_path_, errno);
  file_ = FileHandle();
  return {};
}

Result<void> FolderWriter::sync_below(const std::string& path) const {
  const auto folder = open_below(path, kFolderFlags);
  if (!folder) return Fail(folder.error());
  if (::fsync(folder->get()) != 0) return failed("brought to the disk", path, errno);
  return {};
}

Result<void> FolderWriter::keep() {
  for (const std::string& path : folders_) {
    if (auto synced = sync_below(path); !synced) return synced;
  }
  if (auto synced = sync_below({}); !synced) return synced;
  const std::filesystem::path above = std::filesystem::absolute(folder_).parent_path();
  const FileHandle parent(::open(above.c_str(), kFolderFlags & ~O_NOFOLLOW));
  if (!parent || ::fsync(parent.get()) != 0) return failed("brought to the disk", "..", errno);
  folder_.clear();
  return {};
}

}  // namespace leger
