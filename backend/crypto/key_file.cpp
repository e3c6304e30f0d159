// The two functions of key.h that know files.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "backend/base/file_handle.h"
#include "backend/base/secret.h"
#include "backend/crypto/key.h"
#include "backend/crypto/seal.h"

namespace leger {
namespace {

// A file that is there under its temporary name until it is gone.
class TemporaryName {
 public:
  explicit TemporaryName(std::string path) : path_(std::move(path)) {}
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() { unlink(path_.c_str()); }
  const char* c_str() const { return path_.c_str(); }

 private:
  std::string path_;
};

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Error refused(const std::string& path, const std::string& what, std::string action) {
  return {Code::internal_error, "key file " + path + ": " + what, std::move(action), {}};
}

Error cannot_open(const std::string& path, int error) {
  const std::string action = "Put the key itself at " + path + ", a file of yours with mode 0400.";
  if (error == ELOOP) return refused(path, "is a symbolic link", action);
  if (error == EACCES) return refused(path, "cannot be read by the account that runs legerd", action);
  return system_error("key file " + path, error);
}

// What is wrong with the file, if anything is.
std::optional<Error> judge(const std::string& path, const struct stat& status, bool is_credential) {
  if (!S_ISREG(status.st_mode)) {
    return refused(path, "is not a regular file", "Name the key's file by key_file in legerd.toml.");
  }
  // systemd gives a credential to its unit by an access list, which shows as the group's right to read, and as root's.
  if (!is_credential && status.st_uid != geteuid()) {
    return refused(path, "belongs to another account", "Make it yours: chown \"$(id -un)\" " + path);
  }
  const mode_t forbidden = is_credential ? 0037 : 0077;
  if ((status.st_mode & forbidden) != 0) {
    return refused(path, "may be read or changed by others",
                   "Take that right away: chmod 400 " + path + " (and think of who may have read it)");
  }
  if (status.st_size != static_cast<off_t>(Key::kBytes)) {
    return refused(
        path, "has " + std::to_string(status.st_size) + " bytes; a key is exactly 32 bytes, not text",
        "Restore the file from its backup. Only where no secret was stored yet: remove it, legerd makes a new one.");
  }
  return std::nullopt;
}

Result<void> sync_folder_of(const std::string& path) {
  const FileHandle folder(open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) {
    return Fail(system_error("cannot write the folder of " + path + " to disk", errno));
  }
  return {};
}

// Makes `folder` and what is missing above it, 0700, each one's entry durable.
Result<void> make_folders(const std::string& folder) {
  std::filesystem::path path;
  for (const std::filesystem::path& part : std::filesystem::path(folder)) {
    path /= part;
    if (mkdir(path.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return Fail(system_error("cannot make the folder " + path.string(), errno));
    }
    if (auto synced = sync_folder_of(path.string()); !synced) return synced;
  }
  return {};
}

// A file that appears whole or not at all: a crash leaves a temporary name behind at worst, never half a key.
Result<void> write_new_file(const std::string& path, std::string_view bytes) {
  const TemporaryName temporary(path + ".new-" + random_uuid());
  const FileHandle file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
  if (!file) return Fail(system_error("cannot make the key file " + path, errno));
  const ssize_t written = write(file.get(), bytes.data(), bytes.size());
  if (written < 0) return Fail(system_error("cannot write the key file " + path, errno));
  if (static_cast<std::size_t>(written) != bytes.size())
    return Fail(system_error("cannot write the key file " + path, ENOSPC));
  if (fchmod(file.get(), 0400) != 0 || fsync(file.get()) != 0) {
    return Fail(system_error("cannot write the key file " + path + " to disk", errno));
  }
  if (link(temporary.c_str(), path.c_str()) != 0) {
    if (errno != EEXIST) return Fail(system_error("cannot make the key file " + path, errno));
    return Fail({Code::conflict,
                 "the key file " + path + " exists already",
                 "Keep it: what is stored is encrypted with it.",
                 {}});
  }
  return {};
}

}  // namespace

Result<std::optional<Key>> read_key_file(const std::string& path, bool is_credential) {
  // O_NONBLOCK: a FIFO in the key's place does not hold the start.
  const FileHandle file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return Fail(cannot_open(path, errno));
  }
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return Fail(system_error("key file " + path, errno));
  if (auto wrong = judge(path, status, is_credential)) return Fail(*std::move(wrong));
  Secret bytes(std::string(Key::kBytes, '\0'));
  const ssize_t got = read(file.get(), bytes.buffer().data(), Key::kBytes);
  if (got < 0) return Fail(system_error("cannot read the key file " + path, errno));
  auto key = Key::from_bytes(bytes.reveal().substr(0, static_cast<std::size_t>(got)));
  if (!key) return Fail(key.error());
  return std::optional<Key>(*std::move(key));
}

Result<Key> make_key_file(const std::string& path) {
  if (auto made = make_folders(folder_of(path)); !made) return Fail(made.error());
  Key key = Key::random();
  if (auto written = write_new_file(path, key.reveal()); !written) return Fail(written.error());
  if (auto synced = sync_folder_of(path); !synced) return Fail(synced.error());
  return key;
}

}  // namespace leger
