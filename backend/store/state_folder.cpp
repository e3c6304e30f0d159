#include "backend/store/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace leger {
namespace {

constexpr mode_t kRightsOfOthers = 077;
constexpr mode_t kFoldersWritableByOthers = 022;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

Error refused(const std::string& path, const std::string& what, std::string action) {
  return {Code::unavailable, path + " " + what, std::move(action), {}};
}

Result<void> sync_parent(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const File folder(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || fsync(folder.descriptor()) != 0) {
    return Fail(system_error("cannot write the folder " + parent.string() + " to disk", errno));
  }
  return {};
}

// Makes what is missing of `folder`, 0700, each one's entry durable.
Result<void> make_folders(const std::string& folder) {
  std::filesystem::path path;
  for (const std::filesystem::path& part : std::filesystem::path(folder)) {
    path /= part;
    if (part.empty() || part == ".") continue;
    if (mkdir(path.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return Fail(system_error("cannot make the folder " + path.string(), errno));
    }
    if (auto synced = sync_parent(path); !synced) return synced;
  }
  return {};
}

// Takes from others what rights they have on an object of ours; `path` is for the message.
Result<void> narrow(int descriptor, const struct stat& status, const std::string& path) {
  if ((status.st_mode & kRightsOfOthers) == 0) return {};
  if (fchmod(descriptor, status.st_mode & 0700) == 0) return {};
  return Fail(system_error("cannot take the rights of others from " + path, errno));
}

// Opens `name` in `folder` and sees that it is a regular file, ours, and closed to others. `flags` beside the usual
// ones; nothing there and no O_CREAT: that is fine.
Result<void> keep_private(int folder, const std::string& name, const std::string& path, int flags) {
  // O_NONBLOCK: a FIFO of that name does not hold the start.
  const File file(openat(folder, name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600));
  if (!file.is_open()) {
    if (errno == ENOENT) return {};
    if (errno == ELOOP) return Fail(refused(path, "is a symbolic link", "Put the file itself there."));
    return Fail(system_error("cannot open " + path, errno));
  }
  struct stat status{};
  if (fstat(file.descriptor(), &status) != 0) return Fail(system_error("cannot look at " + path, errno));
  if (!S_ISREG(status.st_mode)) return Fail(refused(path, "is not a regular file", "Move it away."));
  if (status.st_uid != geteuid()) {
    return Fail(refused(path, "belongs to another account", "Make it yours: chown \"$(id -un)\" " + path));
  }
  return narrow(file.descriptor(), status, path);
}

}  // namespace

Result<std::unique_ptr<StateFolder>> StateFolder::open(const std::string& path) {
  if (auto made = make_folders(path); !made) return Fail(made.error());
  std::error_code problem;
  // SQLite is given an absolute path without links, so that no later change of the working folder moves the database.
  const std::filesystem::path real = std::filesystem::canonical(path, problem);
  if (problem) return Fail(system_error("cannot find the folder " + path, problem.value()));
  std::unique_ptr<StateFolder> folder(new StateFolder(real.string()));
  if (auto claimed = folder->claim(); !claimed) return Fail(claimed.error());
  return folder;
}

StateFolder::~StateFolder() {
  if (lock_ >= 0) close(lock_);
  if (folder_ >= 0) close(folder_);
}

Result<void> StateFolder::claim() {
  folder_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat status{};
  if (folder_ < 0 || fstat(folder_, &status) != 0) return Fail(system_error("cannot open the folder " + path_, errno));
  if (status.st_uid != geteuid()) {
    return Fail(refused(path_, "belongs to another account", "Name a folder of your own by state_dir in legerd.toml."));
  }
  // What others could write they may have planted, and it may be a folder that they share: not ours to close.
  if ((status.st_mode & kFoldersWritableByOthers) != 0) {
    return Fail(
        refused(path_, "can be written by other accounts",
                "Name a folder of your own by state_dir in legerd.toml, or close this one: chmod 700 " + path_));
  }
  if (auto narrowed = narrow(folder_, status, path_); !narrowed) return narrowed;
  if (auto made = keep_private(folder_, "lock", path_ + "/lock", O_CREAT); !made) return made;
  lock_ = openat(folder_, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (lock_ < 0) return Fail(system_error("cannot open " + path_ + "/lock", errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return Fail(system_error("cannot lock " + path_ + "/lock", errno));
  return Fail(
      {Code::conflict,
       "another legerd runs on the folder " + path_,
       "Stop it first (systemctl --user stop legerd.service legerd.socket), or give this one its own --state-dir.",
       {}});
}

Result<void> StateFolder::prepare_database_file() const {
  if (auto made = keep_private(folder_, "leger.db", database_path(), O_CREAT); !made) return made;
  for (const std::string suffix : {"-wal", "-shm"}) {
    if (auto kept = keep_private(folder_, "leger.db" + suffix, database_path() + suffix, 0); !kept) return kept;
  }
  return {};
}

}  // namespace leger
