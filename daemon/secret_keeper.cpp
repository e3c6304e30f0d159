#include "daemon/secret_keeper.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace leger {

SecretKeeper secret_keeper(const Config& config) {
  if (!config.podman_asks_legerd) return {};
  std::error_code unknown;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", unknown);
  const std::string beside = (own.parent_path() / "leger").string();
  return {.program = config.leger_path.empty() ? beside : config.leger_path,
          .socket = config.socket.value_or(config.default_socket)};
}

Result<void> check_secret_keeper(const SecretKeeper& keeper) {
  if (keeper.program.empty() || access(keeper.program.c_str(), X_OK) == 0) return {};
  return Fail({Code::invalid_request,
               "podman_secrets = \"legerd\" needs leger at " + keeper.program + ", and it is not there.",
               "Install leger beside legerd, or say where it is: leger_path = \"/…/leger\"",
               {}});
}

}  // namespace leger
