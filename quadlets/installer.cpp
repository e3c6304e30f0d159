#include "quadlets/installer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "backend/base/file_handle.h"
#include "backend/base/text.h"
#include "quadlets/manifest.h"

namespace leger {
namespace {

namespace fs = std::filesystem;

// One plain segment of a path: nothing that leads elsewhere.
bool is_plain(const std::string& id) {
  const auto allowed = [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= 255 && id.front() != '.' && std::ranges::all_of(id, allowed);
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(path, ignored));
}

bool is_empty_folder(const std::string& path) {
  std::error_code problem;
  return is_folder(path) && fs::is_empty(path, problem) && !problem;
}

Fail failed(const std::string& what, int errno_value) {
  if (errno_value == EINVAL || errno_value == EXDEV || errno_value == ENOSYS) {
    const std::string why = std::generic_category().message(errno_value);
    return Fail(
        {Code::unavailable,
         what + ": its file system cannot do that in one step (" + why + ").",
         "Put quadlet_dir and the folder above it on one local file system such as ext4, xfs or btrfs, and name "
         "that folder, not each of the two, in ReadWritePaths= of legerd's unit.",
         {}});
  }
  return Fail(system_error(what, errno_value));
}

}  // namespace

int PosixFileSystem::make_folder(const std::string& path) { return ::mkdir(path.c_str(), 0700) == 0 ? 0 : errno; }

int PosixFileSystem::exchange(const std::string& a, const std::string& b) {
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0 ? 0 : errno;
}

int PosixFileSystem::rename(const std::string& from, const std::string& to) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
}

int PosixFileSystem::remove_tree(const std::string& path) {
  std::error_code problem;
  fs::remove_all(path, problem);
  return problem.value();
}

int PosixFileSystem::sync_folder(const std::string& path) {
  const FileHandle folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && ::fsync(folder.get()) == 0 ? 0 : errno;
}

Installer::Installer(FileSystem& files, std::string quadlet_dir) : files_(files), quadlet_dir_(std::move(quadlet_dir)) {
  while (quadlet_dir_.size() > 1 && quadlet_dir_.ends_with('/')) quadlet_dir_.pop_back();
  staging_dir_ = (fs::path(quadlet_dir_).parent_path() / "leger-staging").string();
}

std::string Installer::staging_path(const std::string& id) const { return staging_dir_ + "/" + id; }

std::string Installer::live_path(const std::string& name) const { return quadlet_dir_ + "/" + name; }

bool Installer::is_live(const std::string& name) const {
  return is_folder(live_path(name)) && !is_empty_folder(live_path(name));
}

Result<void> Installer::prepare() {
  for (const std::string& wanted : {quadlet_dir_, staging_dir_}) {
    fs::path folder;
    for (const fs::path& part : fs::path(wanted)) {
      folder /= part;
      std::error_code ignored;
      if (fs::is_directory(folder, ignored)) continue;  // or a link to one, which ~/.config may well be
      int problem = files_.make_folder(folder);
      // A later sync of the folder itself would not bring its name in the folder above to the disk.
      if (problem == 0) problem = files_.sync_folder(folder.parent_path());
      if (problem != 0) return failed("The folder " + folder.string() + " cannot be made", problem);
    }
  }
  return {};
}

std::uint64_t Installer::identity(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return 0;
  return status.st_ino;
}

Result<void> Installer::check_exchange(const std::string& id) {
  const std::string staged = staging_path(id);
  // No bundle has hidden files. A crash leaves them in a folder that is swept away.
  const std::string one = staged + "/.exchange-1";
  const std::string other = staged + "/.exchange-2";
  int problem = 0;
  for (const std::string& folder : {one, other}) {
    if (problem == 0) problem = files_.make_folder(folder);
  }
  if (problem == 0) problem = files_.exchange(one, other);
  for (const std::string& folder : {one, other}) {
    const int kept = files_.remove_tree(folder);
    if (problem == 0) problem = kept;
  }
  if (problem != 0) return failed("Folders in " + staging_dir_ + " cannot be exchanged", problem);
  // Two mounts are told from one before the kernel looks for the name, which is never there.
  problem = files_.exchange(staged, quadlet_dir_ + "/.no-such-app");
  if (problem != EXDEV) return {};
  return failed("Folders of " + staging_dir_ + " and " + quadlet_dir_ + " cannot be exchanged", problem);
}

Result<void> Installer::check_names(const std::string& id, const std::string& name) const {
  if (is_plain(id) && is_deployment_name(name)) return {};
  return Fail(
      {Code::internal_error,
       "\"" + escape_controls(id) + "\" and \"" + escape_controls(name) + "\" cannot name a staging folder and an app.",
       {},
       {}});
}

Result<void> Installer::sync_both() {
  for (const std::string& folder : {quadlet_dir_, staging_dir_}) {
    if (const int problem = files_.sync_folder(folder); problem != 0) {
      return failed("The folder " + folder + " cannot be brought to the disk", problem);
    }
  }
  return {};
}

Result<void> Installer::exchange(const std::string& id, const std::string& name) {
  const std::string staged = staging_path(id);
  const std::string live = live_path(name);
  if (const int problem = files_.exchange(staged, live); problem != 0) {
    return failed("The folders " + staged + " and " + live + " cannot be exchanged", problem);
  }
  auto synced = sync_both();
  // Not known to be on the disk: better the old state for certain than the new one perhaps.
  if (!synced) files_.exchange(staged, live);
  return synced;
}

Result<void> Installer::switch_in(const std::string& id, const std::string& name) {
  if (auto named = check_names(id, name); !named) return named;
  const std::string live = live_path(name);
  const bool is_new = !is_folder(live);
  if (is_new) {
    if (const int problem = files_.make_folder(live); problem != 0) {
      return failed("The folder " + live + " cannot be made", problem);
    }
  }
  auto exchanged = exchange(id, name);
  if (!exchanged && is_new && is_empty_folder(live)) files_.remove_tree(live);
  return exchanged;
}

Result<void> Installer::switch_back(const std::string& id, const std::string& name) {
  if (auto named = check_names(id, name); !named) return named;
  if (auto exchanged = exchange(id, name); !exchanged) return exchanged;
  const std::string live = live_path(name);
  if (!is_empty_folder(live)) return {};
  if (const int problem = files_.remove_tree(live); problem != 0) {
    return failed("The empty folder " + live + " cannot be removed", problem);
  }
  return sync_both();
}

Result<void> Installer::move(const std::string& from, const std::string& to) {
  if (const int problem = files_.rename(from, to); problem != 0) {
    return failed("The folder " + from + " cannot be moved to " + to, problem);
  }
  auto synced = sync_both();
  if (!synced) files_.rename(to, from);
  return synced;
}

Result<void> Installer::take_away(const std::string& id, const std::string& name) {
  if (auto named = check_names(id, name); !named) return named;
  return move(live_path(name), staging_path(id));
}

Result<void> Installer::put_back(const std::string& id, const std::string& name) {
  if (auto named = check_names(id, name); !named) return named;
  return move(staging_path(id), live_path(name));
}

Result<void> Installer::remove_staging(const std::string& id) {
  if (!is_plain(id)) return check_names(id, {});
  if (const int problem = files_.remove_tree(staging_path(id)); problem != 0) {
    return failed("The staging folder " + staging_path(id) + " cannot be removed", problem);
  }
  if (const int problem = files_.sync_folder(staging_dir_); problem != 0) {
    return failed("The folder " + staging_dir_ + " cannot be brought to the disk", problem);
  }
  return {};
}

Result<std::vector<std::string>> Installer::staged_ids() const {
  std::vector<std::string> ids;
  std::error_code problem;
  fs::directory_iterator entry(staging_dir_, problem);
  if (problem == std::errc::no_such_file_or_directory) return ids;
  for (; !problem && entry != fs::directory_iterator(); entry.increment(problem)) {
    if (is_folder(entry->path().string())) ids.push_back(entry->path().filename().string());
  }
  if (problem) return failed("The folder " + staging_dir_ + " cannot be read", problem.value());
  std::ranges::sort(ids);
  return ids;
}

}  // namespace leger
