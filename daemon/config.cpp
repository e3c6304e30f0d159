#include "daemon/config.h"

#include <sys/stat.h>

#include <toml++/toml.h>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/policy.h"

namespace leger {
namespace {

constexpr std::size_t kMaxFile = 1024 * 1024;

Fail wrong(const std::string& file, const toml::source_region& where, const std::string& what) {
  return Fail({Code::invalid_request,
               file + ":" + std::to_string(where.begin.line) + ": " + what,
               "Correct the line, then check it with: leger config check",
               {}});
}

// One key of the file: how its value is taken. The text says what is wrong with it, empty where nothing is.
using Setter = std::function<std::string(Config&, const toml::node&)>;

// Where in a configuration the value of a key belongs.
template <class T>
using Field = T& (*)(Config&);

Setter text_into(Field<std::string> field) {
  return [field](Config& config, const toml::node& node) -> std::string {
    const auto value = node.value_exact<std::string>();
    if (!value || value->contains('\0')) return "needs a text in quotes";
    field(config) = *value;
    return {};
  };
}

Setter path_into(Field<std::string> field) {
  return [field](Config& config, const toml::node& node) -> std::string {
    const auto value = node.value_exact<std::string>();
    if (!value || !value->starts_with('/') || value->contains('\0')) return "needs an absolute path in quotes";
    field(config) = *value;
    return {};
  };
}

Setter number_into(Field<std::uint32_t> field, std::uint32_t least, std::uint32_t most) {
  return [=](Config& config, const toml::node& node) -> std::string {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < least || *value > most) {
      return "needs a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    }
    field(config) = static_cast<std::uint32_t>(*value);
    return {};
  };
}

Setter limit_into(Field<std::uint32_t> field) { return number_into(field, 0, 1'000'000); }

Setter truth_into(Field<bool> field) {
  return [field](Config& config, const toml::node& node) -> std::string {
    const auto value = node.value_exact<bool>();
    if (!value) return "needs true or false";
    field(config) = *value;
    return {};
  };
}

std::string set_socket(Config& config, const toml::node& node) {
  const auto value = node.value_exact<std::string>();
  if (!value || (!value->empty() && !value->starts_with('/')))
    return "needs an absolute path in quotes, or \"\" for none";
  config.socket = *value;
  return {};
}

std::string set_listen(Config& config, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return "needs a list, such as [\"127.0.0.1:8787\"]";
  config.listen.emplace();
  for (const toml::node& entry : *list) {
    const auto value = entry.value_exact<std::string>();
    if (!value) return "needs texts in quotes, such as [\"127.0.0.1:8787\"]";
    config.listen->push_back(*value);
  }
  return {};
}

// A Tailscale user id, as a number or as digits in quotes.
std::optional<std::int64_t> user_id_of(const toml::node& node) {
  if (const auto number = node.value_exact<std::int64_t>()) return *number > 0 ? number : std::nullopt;
  const auto digits = parse_number(node.value_exact<std::string>().value_or(""));
  if (!digits || *digits == 0 || std::cmp_greater(*digits, INT64_MAX)) return std::nullopt;
  return static_cast<std::int64_t>(*digits);
}

std::string set_owner(Config& config, const toml::node& node) {
  if (node.value_exact<std::string>() == "") return {};
  config.owner = user_id_of(node);
  return config.owner ? "" : "needs the numeric Tailscale user id, such as \"1234567890\"";
}

std::string set_operators(Config& config, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return "needs a list of numeric Tailscale user ids, such as [1234567890]";
  for (const toml::node& entry : *list) {
    const auto id = user_id_of(entry);
    if (!id) return "needs numeric Tailscale user ids, such as [1234567890]";
    config.operators.push_back(*id);
  }
  return {};
}

std::string set_hosts(Config& config, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return "needs a list of host names, such as [\"leger.example.com\"]";
  for (const toml::node& entry : *list) {
    const std::string name = entry.value_exact<std::string>().value_or("");
    if (name.empty() || name.find_first_of("/@ ") != std::string::npos) {
      return "needs host names without a scheme, such as [\"leger.example.com\"]";
    }
    config.hosts.push_back(ascii_lower(name));
  }
  return {};
}

std::string set_allow_dangerous(Config& config, const toml::node& node) {
  const toml::array* list = node.as_array();
  if (list == nullptr) return "needs a list, such as [\"shop:privileged\"]";
  for (const toml::node& entry : *list) {
    const auto value = entry.value_exact<std::string>();
    if (!value) return "needs texts in quotes, such as [\"shop:privileged\"]";
    if (std::string problem = allowance_problem(*value); !problem.empty()) return problem;
    config.allow_dangerous.push_back(*value);
  }
  return {};
}

std::string set_api_url(Config& config, const toml::node& node) {
  constexpr std::string_view kLoopback = "http://127.0.0.1:";
  const auto value = node.value_exact<std::string>();
  const bool is_local = value && value->starts_with(kLoopback) && parse_number(value->substr(kLoopback.size()));
  if (!value || !(value->starts_with("https://") || is_local)) return "needs an address that begins with https://";
  config.tailscale.api_url = *value;
  return {};
}

// `tls = "tailscale"`; the other form is the section [tls].
std::string set_tls(Config& config, const toml::node& node) {
  if (node.value_exact<std::string>() != "tailscale")
    return "needs \"tailscale\", or a section [tls] with cert and key";
  config.tls.from_tailscale = true;
  return {};
}

std::string set_podman_secrets(Config& config, const toml::node& node) {
  const std::string value = node.value_exact<std::string>().value_or("");
  if (value != "file" && value != "legerd") return "needs \"file\" or \"legerd\"";
  config.podman_asks_legerd = value == "legerd";
  return {};
}

std::string set_log_level(Config& config, const toml::node& node) {
  const auto level = log_level_named(node.value_exact<std::string>().value_or(""));
  if (!level) return "needs \"error\", \"warning\", \"info\" or \"debug\"";
  config.log_level = *level;
  return {};
}

const std::map<std::string, Setter, std::less<>>& keys() {
  static const std::map<std::string, Setter, std::less<>> table{
      {"state_dir", path_into([](Config& config) -> auto& { return config.state_dir; })},
      {"socket", set_socket},
      {"listen", set_listen},
      {"quadlet_dir", path_into([](Config& config) -> auto& { return config.quadlet_dir; })},
      {"log_level", set_log_level},
      {"environment", text_into([](Config& config) -> auto& { return config.environment; })},
      {"key_file", path_into([](Config& config) -> auto& { return config.key_file; })},
      {"insecure", truth_into([](Config& config) -> auto& { return config.insecure; })},
      {"tls", set_tls},
      {"tls.cert", path_into([](Config& config) -> auto& { return config.tls.cert_file; })},
      {"tls.key", path_into([](Config& config) -> auto& { return config.tls.key_file; })},
      {"owner", set_owner},
      {"operators", set_operators},
      {"hosts", set_hosts},
      {"podman_secrets", set_podman_secrets},
      {"leger_path", path_into([](Config& config) -> auto& { return config.leger_path; })},
      {"tailscale.socket", path_into([](Config& config) -> auto& { return config.tailscale.socket; })},
      {"tailscale.userspace", truth_into([](Config& config) -> auto& { return config.tailscale.userspace; })},
      {"tailscale.api_key_file", path_into([](Config& config) -> auto& { return config.tailscale.api_key_file; })},
      {"tailscale.api_url", set_api_url},
      {"tailscale.tailnet", text_into([](Config& config) -> auto& { return config.tailscale.tailnet; })},
      {"policy.allow_dangerous", set_allow_dangerous},
      {"deploy.settle_s", number_into([](Config& config) -> auto& { return config.settle_s; }, 0, 3600)},
      {"deploy.health_timeout_s",
       number_into([](Config& config) -> auto& { return config.health_timeout_s; }, 1, 3600)},
      {"retention.secret_versions",
       number_into([](Config& config) -> auto& { return config.secret_versions; }, 1, 1000)},
      {"retention.releases", number_into([](Config& config) -> auto& { return config.keep_releases; }, 1, 1000)},
      {"retention.audit_days", number_into([](Config& config) -> auto& { return config.audit_days; }, 0, 36'500)},
      {"limits.requests_per_second",
       limit_into([](Config& config) -> auto& { return config.limits.requests_per_second; })},
      {"limits.request_burst", limit_into([](Config& config) -> auto& { return config.limits.request_burst; })},
      {"limits.sign_ins_per_minute",
       limit_into([](Config& config) -> auto& { return config.limits.sign_ins_per_minute; })},
      {"limits.uploads_per_minute",
       limit_into([](Config& config) -> auto& { return config.limits.uploads_per_minute; })},
      {"limits.connections_per_peer",
       limit_into([](Config& config) -> auto& { return config.limits.connections_per_peer; })},
      {"limits.connections", limit_into([](Config& config) -> auto& { return config.limits.connections; })},
  };
  return table;
}

bool is_section(std::string_view name) {
  for (const auto& [key, setter] : keys()) {
    if (key.starts_with(std::string(name) + ".")) return true;
  }
  return false;
}

Result<void> apply(const toml::table& table, const std::string& prefix, Config& config) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    const auto known = keys().find(key);
    if (node.is_table() && is_section(key)) {
      auto applied = apply(*node.as_table(), key + ".", config);
      if (!applied) return applied;
      continue;
    }
    if (known == keys().end()) {
      return wrong(config.file, name.source(), "unknown key \"" + escape_controls(key) + "\"");
    }
    const std::string problem = known->second(config, node);
    if (!problem.empty()) return wrong(config.file, node.source(), std::string(key).append(" ").append(problem));
  }
  return {};
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return Fail(system_error("cannot read " + path, errno));
  }
  if (!S_ISREG(info.st_mode) || std::cmp_greater(info.st_size, kMaxFile)) {
    return Fail({Code::invalid_request, path + " is not a configuration file.", {}, {}});
  }
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Fail({Code::invalid_request, "cannot read " + path + ".", "Check its permissions.", {}});
  return text.str();
}

Result<void> apply_file(Config& config, bool must_exist) {
  auto text = read_file(config.file);
  if (!text) return Fail(text.error());
  if (!*text && must_exist) {
    return Fail({Code::invalid_request, "There is no configuration file " + config.file + ".", {}, {}});
  }
  if (!*text) return {};
  try {
    return apply(toml::parse(**text, config.file), "", config);
  } catch (const toml::parse_error& problem) {
    return wrong(config.file, problem.source(), std::string(problem.description()));
  }
}

// What one key alone cannot tell.
Result<void> judge(const Config& config) {
  const TlsConfig& tls = config.tls;
  if (tls.cert_file.empty() == tls.key_file.empty()) return {};
  return Fail({Code::invalid_request,
               config.file + ": [tls] needs both cert and key",
               "Name the certificate's file and its key's, or write tls = \"tailscale\".",
               {}});
}

Result<void> apply_flags(const Flags& flags, Config& config) {
  if (flags.state_dir) config.state_dir = *flags.state_dir;
  if (flags.quadlet_dir) config.quadlet_dir = *flags.quadlet_dir;
  if (flags.socket) config.socket = *flags.socket;
  if (!flags.listen.empty()) {
    config.listen.emplace();
    for (const std::string& address : flags.listen) {
      if (!address.empty()) config.listen->push_back(address);
    }
  }
  if (flags.tailscaled_socket) config.tailscale.socket = *flags.tailscaled_socket;
  if (flags.log_level) {
    const auto level = log_level_named(*flags.log_level);
    if (!level) {
      return Fail({Code::invalid_request, "--log-level is error, warning, info or debug.", {}, {}});
    }
    config.log_level = *level;
  }
  return {};
}

}  // namespace

Environment process_environment() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  return {.home = variable("HOME"),
          .config_home = variable("XDG_CONFIG_HOME"),
          .state_home = variable("XDG_STATE_HOME"),
          .cache_home = variable("XDG_CACHE_HOME"),
          .data_home = variable("XDG_DATA_HOME"),
          .runtime_dir = variable("XDG_RUNTIME_DIR"),
          .credentials_directory = variable("CREDENTIALS_DIRECTORY")};
}

Result<Config> load_config(const Flags& flags, const Environment& environment) {
  if (!environment.home.starts_with('/')) {
    return Fail({Code::invalid_request, "HOME is not set to an absolute path.", "Run legerd by systemctl --user.", {}});
  }
  const auto or_in_home = [&environment](const std::string& value, const char* folder) {
    return value.starts_with('/') ? value : environment.home + folder;
  };
  const std::string config_home = or_in_home(environment.config_home, "/.config");
  Config config;
  config.file = flags.config.value_or(config_home + "/leger/legerd.toml");
  config.quadlet_dir = config_home + "/containers/systemd";
  config.credentials_directory = environment.credentials_directory;
  config.home = environment.home;
  config.config_home = config_home;
  config.cache_home = or_in_home(environment.cache_home, "/.cache");
  config.data_home = or_in_home(environment.data_home, "/.local/share");
  config.state_home = or_in_home(environment.state_home, "/.local/state");
  config.state_dir = config.state_home + "/leger";
  if (environment.runtime_dir.starts_with('/')) {
    config.runtime_dir = environment.runtime_dir;
    config.default_socket = environment.runtime_dir + "/leger/legerd.sock";
    config.podman_socket = environment.runtime_dir + "/podman/podman.sock";
  }
  auto read = apply_file(config, flags.config.has_value());
  if (!read) return Fail(read.error());
  if (auto judged = judge(config); !judged) return Fail(judged.error());
  auto flagged = apply_flags(flags, config);
  if (!flagged) return Fail(flagged.error());
  if (config.podman_asks_legerd && config.socket.value_or(config.default_socket).empty()) {
    return Fail({Code::invalid_request,
                 config.file + ": podman_secrets = \"legerd\" needs the Unix socket, where Podman asks",
                 "Leave socket out, or let Podman keep the values: podman_secrets = \"file\"",
                 {}});
  }
  if (config.key_file.empty()) {
    const std::size_t slash = config.file.rfind('/');
    config.key_file = (slash == std::string::npos ? "." : config.file.substr(0, slash)) + "/leger.kek";
  }
  return config;
}

}  // namespace leger
