#include "daemon/secret_keeper.h"

#include <errno.h>  // program_invocation_name, of GNU
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace leger {
namespace {

namespace fs = std::filesystem;

fs::path own_program() {
  std::error_code unknown;
  return fs::read_symlink("/proc/self/exe", unknown);
}

std::string leger_program(const Config& config) {
  return config.leger_path.empty() ? (own_program().parent_path() / "leger").string() : config.leger_path;
}

// Read-only mounts of a sandbox do not matter: it is about what else the user runs.
bool is_users(const fs::path& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0 && found.st_uid == getuid();
}

}  // namespace

SecretKeeper secret_keeper(const Config& config) {
  if (!config.podman_asks_legerd) return {};
  return {.program = leger_program(config), .socket = config.socket.value_or(config.default_socket)};
}

std::vector<std::string> leger_programs(const Config& config) {
  std::vector<std::string> programs;
  std::error_code absent;
  // How systemd was told to start it is, perhaps, a link; no other path is absolute here.
  const fs::path started_as = program_invocation_name;
  for (const fs::path& program :
       {own_program(), started_as, fs::path(leger_program(config)), fs::canonical(leger_program(config), absent)}) {
    if (!program.is_absolute()) continue;
    if (is_users(program) || is_users(program.parent_path())) programs.push_back(program.string());
  }
  return programs;
}

Result<void> check_secret_keeper(const SecretKeeper& keeper) {
  if (keeper.program.empty() || access(keeper.program.c_str(), X_OK) == 0) return {};
  return Fail({Code::invalid_request,
               "podman_secrets = \"legerd\" needs leger at " + keeper.program + ", and it is not there.",
               "Install leger beside legerd, or say where it is: leger_path = \"/…/leger\"",
               {}});
}

}  // namespace leger
