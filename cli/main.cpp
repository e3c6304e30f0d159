// leger: the process around run(). Its descriptors, its signals, its environment.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
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

// No core file: it would hold secrets. PR_SET_DUMPABLE would hide this process from legerd's look at its cgroup, which
// legerd needs to tell it from a container.
void forbid_core_files() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
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
  forbid_core_files();
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return leger::run(arguments, process_io());
}
