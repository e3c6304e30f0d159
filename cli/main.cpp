// leger: the process around run(). Its descriptors, its signals, its environment.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "cli/commands.h"
#include "cli/io.h"

namespace {

// A standard descriptor that is closed would be the next socket's, and what is meant for people would go to legerd. It
// is opened the wrong way round, so that using it fails as it should.
void keep_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) std::abort();
  }
}

// No core file: it would hold secrets. Only the soft limit, so that `leger run` can give it back; 1 and not 0, since
// the kernel hands a core to a program in spite of 0 (do_coredump() of fs/coredump.c). Gives the limit as it was.
// PR_SET_DUMPABLE would hide this process from legerd's look at its cgroup, which legerd needs to tell it from a
// container.
std::optional<rlim_t> forbid_core_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return std::nullopt;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(1, limit.rlim_max);
  setrlimit(RLIMIT_CORE, &limit);
  return before;
}

leger::Io process_io() {
  leger::Io io;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) io.environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  std::error_code unknown;
  io.executable = std::filesystem::read_symlink("/proc/self/exe", unknown).string();
  return io;
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  leger::Io io = process_io();
  io.core_file_limit = forbid_core_files();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return leger::run(arguments, io);
}
