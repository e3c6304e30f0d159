#include "cli/saved_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "backend/base/file_handle.h"
#include "cli/output.h"
#include "cli/pkce.h"

namespace leger {
namespace {

// While it is there, Ctrl-C and its like wait: the temporary file is never left behind by them.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, signal);
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// 0, or the errno that ended it.
int write_whole(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

// 0, or the errno of giving the file its name.
int rename_to(const std::string& from, const std::string& to, Existing existing) {
  if (existing == Existing::replace) return rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL) return errno;
  // A file system that cannot do that, as NFS: a second name, which is never given over another file.
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  return unlink(from.c_str()) == 0 ? 0 : errno;
}

Fail exists(const std::string& path) {
  return Fail({Code::conflict,
               "There is a file " + in_quotes(path) + " already.",
               "Give another name with -o FILE, or replace it with --force.",
               {}});
}

}  // namespace

Result<void> check_place(const std::string& path, Existing existing) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return Fail(system_error("Looking at " + in_quotes(path), errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail({Code::conflict,
                 in_quotes(path) + (S_ISDIR(status.st_mode) ? " is a folder." : " is not a regular file."),
                 "Give the name of the file with -o FILE.",
                 {}});
  }
  return existing == Existing::keep ? Result<void>(exists(path)) : Result<void>();
}

Result<void> save_file(const std::string& path, std::string_view content, Existing existing) {
  const auto fine = check_place(path, existing);
  if (!fine) return fine;
  const auto folder = std::filesystem::path(path).parent_path();
  const std::string fresh = (folder / (".leger-" + random_text())).string();
  const SignalsHeld held;
  int problem = 0;
  {
    const FileHandle file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file) return Fail(system_error("Making a file beside " + in_quotes(path), errno));
    problem = write_whole(file.get(), content);
  }
  if (problem == 0) problem = rename_to(fresh, path, existing);
  if (problem == 0) return {};
  unlink(fresh.c_str());
  if (problem == EEXIST) return exists(path);
  return Fail(system_error("Writing " + in_quotes(path), problem));
}

}  // namespace leger
