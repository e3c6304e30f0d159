#pragma once

// What legerd is told: the TOML file, the flags that win over it, and the defaults. Read once, at start; a value.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/log.h"

namespace leger {

// What TCP may take of us; 0 is no limit. The Unix socket is exempt.
struct Limits {
  std::uint32_t requests_per_second = 200;
  std::uint32_t request_burst = 400;
  std::uint32_t sign_ins_per_minute = 10;
  std::uint32_t uploads_per_minute = 30;
  std::uint32_t connections_per_peer = 64;
  std::uint32_t connections = 1024;
};

// Whence the certificate of the TCP listeners comes; all empty: they are plain.
struct TlsConfig {
  bool from_tailscale = false;
  std::string cert_file;  // PEM, the chain
  std::string key_file;   // PEM
  bool is_on() const { return from_tailscale || !cert_file.empty(); }
};

struct TailscaleConfig {
  std::string socket = "/var/run/tailscale/tailscaled.sock";
  bool userspace = false;    // tailscaled runs with --tun=userspace-networking: tailnet callers come from 127.0.0.1
  std::string api_key_file;  // empty: the control API is not asked
  std::string api_url = "https://api.tailscale.com";
  std::string tailnet = "-";
};

struct Config {
  std::string file;  // where it was read from
  std::string state_dir;
  std::optional<std::string> socket;               // named by flag or key; empty text: no Unix socket
  std::optional<std::vector<std::string>> listen;  // named by flag or key
  std::string quadlet_dir;
  LogLevel log_level = LogLevel::info;
  std::string environment = "production";
  std::string key_file;
  bool insecure = false;
  std::vector<std::string> allow_dangerous;  // RULE or APP:RULE: denials of the policy that this host lifts
  std::uint32_t settle_s = 10;
  std::uint32_t health_timeout_s = 120;
  std::uint32_t secret_versions = 10;
  std::uint32_t keep_releases = 20;  // of each app
  std::uint32_t audit_days = 365;
  TlsConfig tls;
  std::optional<std::int64_t> owner;    // Tailscale user id; nothing: the user of this node
  std::vector<std::int64_t> operators;  // Tailscale user ids
  std::vector<std::string> hosts;       // further names that Host may have, perhaps with a port
  bool podman_asks_legerd = false;      // podman_secrets = "legerd": no value is in Podman's own store
  std::string leger_path;               // of the leger that Podman runs then; empty: beside legerd's own program
  TailscaleConfig tailscale;
  Limits limits;

  // From the environment, for which there are no keys.
  std::string home;
  std::string config_home;
  std::string state_home;
  std::string cache_home;
  std::string data_home;
  std::string runtime_dir;            // empty: none
  std::string default_socket;         // $XDG_RUNTIME_DIR/leger/legerd.sock
  std::string podman_socket;          // $XDG_RUNTIME_DIR/podman/podman.sock
  std::string credentials_directory;  // $CREDENTIALS_DIRECTORY; empty: none
};

// What the command line said; nothing where a flag was not given.
struct Flags {
  std::optional<std::string> config;
  std::optional<std::string> state_dir;
  std::optional<std::string> socket;
  std::vector<std::string> listen;  // may hold one empty text: no TCP
  std::optional<std::string> quadlet_dir;
  std::optional<std::string> tailscaled_socket;
  std::optional<std::string> log_level;
  bool check_config = false;
};

// Environment variables that matter, so that tests need not set the real ones.
struct Environment {
  std::string home;
  std::string config_home;  // $XDG_CONFIG_HOME
  std::string state_home;   // $XDG_STATE_HOME
  std::string cache_home;   // $XDG_CACHE_HOME
  std::string data_home;    // $XDG_DATA_HOME
  std::string runtime_dir;  // $XDG_RUNTIME_DIR
  std::string credentials_directory;
};
Environment process_environment();

// Reads the file (an absent default one is an empty one; an absent named one is an error) and puts defaults, file and
// flags together. invalid_request names file, line and key: unknown keys are refused.
Result<Config> load_config(const Flags& flags, const Environment& environment);

}  // namespace leger
