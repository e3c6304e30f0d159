#include "tests/daemon/legerd_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace leger::test {
namespace {

constexpr std::chrono::seconds kBound{60};  // real time, on a machine that is busy with other things

// build/daemon/legerd, beside the folder build/tests of this executable.
std::string legerd() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../../daemon/legerd").lexically_normal();
}

// Calls `is_done` until it is, or the bound has passed.
template <class Done>
bool wait_for(Done is_done) {
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() > bound) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string text_of(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found = bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  close(fd);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

LegerdProcess::LegerdProcess(Settings settings) : settings_(std::move(settings)), port_(free_port()) {
  std::vector<std::string> arguments{legerd()};
  if (settings_.listens) arguments.insert(arguments.end(), {"--listen", "127.0.0.1:" + std::to_string(port_)});
  arguments.insert(arguments.end(), settings_.arguments.begin(), settings_.arguments.end());
  const std::string home = settings_.home->path();
  std::vector<std::string> environment{"HOME=" + home, "XDG_RUNTIME_DIR=" + home + "/run"};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH"}) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const std::string log = home + "/output";
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const rlimit limit{settings_.descriptors, settings_.descriptors};
  pid_ = fork();
  if (pid_ == 0) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (settings_.descriptors != 0) setrlimit(RLIMIT_NOFILE, &limit);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(output);
  if (pid_ < 0) throw std::runtime_error("fork failed");
}

LegerdProcess::~LegerdProcess() {
  if (exit_code_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void LegerdProcess::wait_until_serving() {
  const bool serving = wait_for([this] {
    int status = 0;
    if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = WEXITSTATUS(status);
    if (exit_code_) return true;
    try {
      const Client probe = unix_socket();
      if (settings_.listens) tcp();  // which it opens after that
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  if (!serving || exit_code_) throw std::runtime_error("legerd does not serve: " + output());
}

int LegerdProcess::wait() {
  const bool ended = wait_for([this] {
    int status = 0;
    if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return exit_code_.has_value();
  });
  if (!ended) throw std::runtime_error("legerd does not end: " + output());
  return *exit_code_;
}

void LegerdProcess::signal(int number) const { kill(pid_, number); }

std::string LegerdProcess::output() const { return text_of(path("output")); }

std::uint64_t LegerdProcess::cpu_ms() const {
  const std::string stat = text_of("/proc/" + std::to_string(pid_) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;  // proc(5): utime and stime are fields 14 and 15
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return (user + system) * 1000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
}

}  // namespace leger::test
