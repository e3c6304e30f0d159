#include "cli/config.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

bool is_program(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

// Beside leger, where both are installed together, else in PATH.
std::optional<std::string> find_legerd(const Io& io) {
  std::string beside = (std::filesystem::path(io.executable).parent_path() / "legerd").string();
  if (!io.executable.empty() && is_program(beside)) return beside;
  const std::string path = io.variable("PATH").value_or("");
  for (const std::string_view folder : split(path, ':')) {
    std::string candidate = std::string(folder) + "/legerd";
    if (folder.starts_with('/') && is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// The three descriptors of `io`, and the signal that main ignores as it was.
class SpawnSettings {
 public:
  SpawnSettings(const Io& io, int out) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, io.in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, io.err, STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Runs a program to its end: its exit code, 1 where a signal ended it.
Result<int> run_program(std::vector<std::string> command, const Io& io, int out) {
  std::vector<std::string> environment;
  environment.reserve(io.environment.size());
  for (const auto& [name, value] : io.environment) environment.emplace_back(name).append("=").append(value);
  const SpawnSettings settings(io, out);
  pid_t child = 0;
  const std::string program = command.front();
  const int problem = posix_spawn(&child, program.c_str(), settings.actions(), settings.attributes(),
                                  pointers(command).data(), pointers(environment).data());
  if (problem != 0) return Fail(system_error("Starting " + in_quotes(program), problem));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return Fail(system_error("Waiting for " + in_quotes(program), errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}

}  // namespace

int check_config(const Io& io, Output& output, const std::string& file) {
  const auto legerd = find_legerd(io);
  if (!legerd) {
    return output.fail({Code::unavailable,
                        "legerd was found neither beside leger nor in PATH.",
                        "Run this where legerd is installed.",
                        {}});
  }
  std::vector<std::string> command{*legerd, "--check-config"};
  if (!file.empty()) command.insert(command.end(), {"--config", file});
  // In JSON style standard output is the data alone; what legerd says for people goes to standard error.
  const auto exit = run_program(command, io, output.is_json() ? io.err : io.out);
  if (!exit) return output.fail(exit.error());
  if (*exit == kDone) output.data(Json{{"valid", true}});
  return *exit;
}

}  // namespace leger
