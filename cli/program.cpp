#include "cli/program.h"

#include <spawn.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string_view>

#include "backend/base/text.h"
#include "cli/output.h"

namespace leger {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// The three descriptors, and the signal that main ignores as it was.
class SpawnSettings {
 public:
  SpawnSettings(const Descriptors& descriptors, Session session) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, descriptors.in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, descriptors.out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, descriptors.err, STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes_, &defaults);
    const int flags = POSIX_SPAWN_SETSIGDEF | (session == Session::own ? POSIX_SPAWN_SETSID : 0);
    posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
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

}  // namespace

bool is_program(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

std::optional<std::string> find_program(const Io& io, const std::string& name) {
  if (name.contains('/')) return is_program(name) ? std::optional(name) : std::nullopt;
  const std::string path = io.variable("PATH").value_or("");
  for (const std::string_view folder : split(path, ':')) {
    std::string candidate = std::string(folder) + "/" + name;
    if (folder.starts_with('/') && is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

Result<pid_t> start_program(const Io& io, std::vector<std::string> command, const Descriptors& descriptors,
                            Session session) {
  std::vector<std::string> environment;
  environment.reserve(io.environment.size());
  for (const auto& [name, value] : io.environment) environment.emplace_back(name).append("=").append(value);
  const SpawnSettings settings(descriptors, session);
  pid_t child = 0;
  const std::string program = command.front();
  const int problem = posix_spawn(&child, program.c_str(), settings.actions(), settings.attributes(),
                                  pointers(command).data(), pointers(environment).data());
  if (problem != 0) return Fail(system_error("Starting " + in_quotes(program), problem));
  return child;
}

}  // namespace leger
