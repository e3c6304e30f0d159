#pragma once

// The real legerd as a child process with a home of its own, for what only a process has: signals, exit codes, messages
// on standard error, limits of the system. Real time, so every wait is bounded and short.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/daemon/client.h"
#include "tests/support.h"

namespace leger::test {

// A port that was free a moment ago.
std::uint16_t free_port();

class LegerdProcess {
 public:
  // `arguments` follow --listen 127.0.0.1:port(), unless `plain` ones are wanted. `descriptors`: RLIMIT_NOFILE, 0 as it
  // is.
  struct Settings {
    std::vector<std::string> arguments;
    std::size_t descriptors = 0;
    bool listens = true;
    std::shared_ptr<TemporaryFolder> home = std::make_shared<TemporaryFolder>();
  };
  explicit LegerdProcess(Settings settings);
  ~LegerdProcess();
  LegerdProcess(const LegerdProcess&) = delete;
  LegerdProcess& operator=(const LegerdProcess&) = delete;

  // Until its doors take connections; throws with what it said when it ends before.
  void wait_until_serving();
  // Its exit code, or 128 and the signal that ended it; throws where it does not end.
  int wait();
  void signal(int number) const;
  // What it wrote on its two streams so far.
  std::string output() const;

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  std::string path(const std::string& name) const { return *settings_.home / name; }
  Client unix_socket() const { return Client::unix_socket(path("run/leger/legerd.sock")); }
  Client tcp() const { return Client::tcp(port_); }
  // Processor time it has used, in milliseconds.
  std::uint64_t cpu_ms() const;

 private:
  Settings settings_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace leger::test
