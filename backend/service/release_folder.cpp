#include "backend/service/release_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>

#include "backend/base/text.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLatest = "latest.tar.gz";
constexpr std::string_view kNewLinkPrefix = ".latest-";
constexpr std::string_view kEnding = ".tar.gz";

std::string file_of(std::uint64_t version) { return "v" + std::to_string(version) + std::string(kEnding); }

// The version of a bundle's file name; 0 for any other name.
std::uint64_t version_of(std::string_view name) {
  if (!name.starts_with('v') || !name.ends_with(kEnding)) return 0;
  name.remove_suffix(kEnding.size());
  const std::uint64_t version = parse_number(name.substr(1)).value_or(0);
  return "v" + std::to_string(version) == name ? version : 0;
}

Result<void> sync_folder(const std::string& path) {
  const FileHandle folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return Fail(system_error("cannot make " + path + " durable", errno));
  return {};
}

Result<void> unlink_file(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return Fail(system_error("cannot remove " + path, errno));
}

// The names in a folder; none where it is not there.
Result<std::vector<std::string>> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code problem;
  fs::directory_iterator entry(path, problem);
  for (; !problem && entry != fs::directory_iterator(); entry.increment(problem)) {
    names.push_back(entry->path().filename().string());
  }
  if (problem && problem != std::errc::no_such_file_or_directory) {
    return Fail(system_error("cannot read the folder " + path, problem.value()));
  }
  return names;
}

bool is_folder(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// What latest.tar.gz of a folder points to; empty where it is no link.
std::string link_in(const std::string& folder) {
  std::error_code problem;
  return fs::read_symlink(folder + "/" + std::string(kLatest), problem).string();
}

// Said to users, who are not told where the folder is.
Fail damaged(const std::string& r2_path, const std::string& why) {
  return Fail(
      {Code::internal_error, "The stored bundle " + r2_path + " " + why + ".", "Upload the release again.", {}});
}

}  // namespace

Result<void> ReleaseFolder::make() const {
  if (mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(system_error("cannot make the folder " + path_, errno));
  }
  return sync_folder(fs::path(path_).parent_path().string());
}

Result<ReleaseFolder::Leftovers> ReleaseFolder::collect(const std::vector<std::string>& recorded) const {
  std::map<std::string, std::set<std::uint64_t>> versions;  // of each user
  for (const std::string& r2_path : recorded) {
    const std::size_t slash = r2_path.rfind('/');
    if (slash != std::string::npos) versions[r2_path.substr(0, slash)].insert(version_of(r2_path.substr(slash + 1)));
  }
  const auto top = names_in(path_);
  if (!top) return Fail(top.error());
  for (const std::string& name : *top) {
    if (name.starts_with(kIncomingPrefix)) {
      if (auto removed = unlink_file(path_of(name)); !removed) return Fail(removed.error());
    } else if (is_folder(path_of(name))) {
      versions.try_emplace(name);
    }
  }
  Leftovers left;
  for (auto& [user, expected] : versions) {
    if (auto collected = collect_user(user, std::move(expected), left); !collected) return Fail(collected.error());
  }
  return left;
}

Result<void> ReleaseFolder::collect_user(const std::string& user, std::set<std::uint64_t> expected,
                                         Leftovers& left) const {
  const std::string folder = path_of(user);
  const std::uint64_t newest = expected.empty() ? 0 : *expected.rbegin();
  const auto names = is_folder(folder) ? names_in(folder) : Result<std::vector<std::string>>();
  if (!names) return Fail(names.error());
  for (const std::string& name : *names) {
    const std::uint64_t version = version_of(name);
    const bool is_orphan = version != 0 && expected.erase(version) == 0;
    if (!is_orphan && !name.starts_with(kNewLinkPrefix)) continue;
    std::string r2_path = user;
    r2_path.append("/").append(name);
    if (auto removed = remove(r2_path); !removed) return removed;
    if (is_orphan) left.orphans.push_back(std::move(r2_path));
  }
  for (const std::uint64_t version : expected) left.missing.push_back(user + "/" + file_of(version));
  if (!is_folder(folder) || link_in(folder) == (newest == 0 ? "" : file_of(newest))) return {};
  if (auto mended = point_latest(user, newest); !mended) left.unmended.push_back(mended.error());
  return {};
}

// The name first: the fsync of the file then takes the change of names along, and that of the folder has little to do.
// A crash before leaves a bundle without a row, whole or not, which collect() removes.
Result<void> ReleaseFolder::place(const IncomingBundle& incoming, const std::string& r2_path) {
  const std::string to = path_of(r2_path);
  const std::string folder = to.substr(0, to.rfind('/'));
  const bool is_new = mkdir(folder.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) return Fail(system_error("cannot make the folder " + folder, errno));
  // Where it was there, that does not say that it is on the disk; it is asked for once in a process.
  if (is_new || !durable_.contains(folder)) {
    if (auto synced = sync_folder(path_); !synced) return synced;
    durable_.insert(folder);
  }
  if (std::rename(incoming.path().c_str(), to.c_str()) != 0) {
    return Fail(system_error("cannot put the bundle at " + to, errno));
  }
  auto synced = incoming.sync();
  if (synced) synced = sync_folder(folder);
  if (!synced) unlink(to.c_str());
  return synced;
}

Result<FileHandle> ReleaseFolder::open(const std::string& r2_path, std::uint64_t bytes) const {
  const std::string path = path_of(r2_path);
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) {
    return damaged(r2_path, "cannot be read: " + std::generic_category().message(errno));
  }
  if (!S_ISREG(status.st_mode) || std::cmp_not_equal(status.st_size, bytes)) {
    return damaged(r2_path, "does not have the " + std::to_string(bytes) + " bytes that were uploaded");
  }
  return file;
}

Result<void> ReleaseFolder::remove(const std::string& r2_path) const { return unlink_file(path_of(r2_path)); }

Result<void> ReleaseFolder::point_latest(const std::string& user_uuid, std::uint64_t version) const {
  const std::string folder = path_of(user_uuid) + "/";
  const std::string link = folder + std::string(kLatest);
  if (version == 0) return unlink_file(link);
  const std::string fresh = folder + std::string(kNewLinkPrefix) + random_uuid();
  if (symlink(file_of(version).c_str(), fresh.c_str()) != 0) {
    return Fail(system_error("cannot make the link " + fresh, errno));
  }
  if (std::rename(fresh.c_str(), link.c_str()) == 0) return {};
  const int why = errno;
  unlink(fresh.c_str());
  return Fail(system_error("cannot switch the link " + link, why));
}

}  // namespace leger
