#include "daemon/options.h"

#include <CLI/CLI.hpp>

namespace leger {

Options read_options(int argc, char** argv) {
  Options options;
  Flags& flags = options.flags;
  CLI::App app(
      "legerd keeps secrets and releases of Podman quadlets and deploys them.\n"
      "It is meant to be run by systemd: systemctl --user enable --now legerd.socket",
      "legerd");
  app.set_version_flag("--version", "legerd " LEGER_VERSION);
  app.add_option("--config", flags.config, "configuration file (default: ~/.config/leger/legerd.toml)");
  app.add_option("--state-dir", flags.state_dir, "database and releases (default: ~/.local/state/leger)");
  app.add_option("--socket", flags.socket, "Unix socket to listen on; '' for none");
  app.add_option("--listen", flags.listen, "ADDRESS:PORT to listen on, may be repeated; '' for none")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--quadlet-dir", flags.quadlet_dir, "where apps go (default: ~/.config/containers/systemd)");
  app.add_option("--tailscaled-socket", flags.tailscaled_socket,
                 "tailscaled's LocalAPI (default: /var/run/tailscale/tailscaled.sock)");
  app.add_option("--log-level", flags.log_level, "error, warning, info or debug");
  app.add_flag("--check-config", flags.check_config, "say whether the configuration is right, and end");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& end) {
    options.exit_code = app.exit(end) == 0 ? 0 : 2;
  }
  return options;
}

}  // namespace leger
