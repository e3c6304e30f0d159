#include "daemon/config.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support.h"

namespace leger::test {
namespace {

// A home with a configuration file, and what is made of it.
class Home {
 public:
  Home() {
    std::filesystem::create_directories(folder_ / ".config/leger");
    environment.home = folder_.path();
  }
  std::string file() const { return folder_ / ".config/leger/legerd.toml"; }
  std::string path(const std::string& name) const { return folder_ / name; }
  void write(std::string_view text) const { std::ofstream(file()) << text; }
  Result<Config> load(const Flags& flags = {}) const { return load_config(flags, environment); }
  Config good(std::string_view text, const Flags& flags = {}) const {
    write(text);
    auto config = load(flags);
    INFO(text);
    REQUIRE_MESSAGE(config.has_value(), (config ? "" : config.error().message));
    return *config;
  }
  std::string refusal(std::string_view text) const {
    write(text);
    const auto config = load();
    INFO(text);
    REQUIRE_FALSE(config.has_value());
    CHECK(config.error().code == Code::invalid_request);
    CHECK_FALSE(config.error().action.empty());
    return config.error().message;
  }

  Environment environment;

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("without a file everything has its default, below the home") {
  const Home home;
  const auto config = home.load();
  REQUIRE(config.has_value());
  CHECK(config->file == home.file());
  CHECK(config->state_dir == home.path(".local/state/leger"));
  CHECK(config->quadlet_dir == home.path(".config/containers/systemd"));
  CHECK(config->key_file == home.path(".config/leger/leger.kek"));
  CHECK_FALSE(config->socket.has_value());
  CHECK_FALSE(config->listen.has_value());
  CHECK(config->log_level == LogLevel::info);
  CHECK(config->environment == "production");
  CHECK_FALSE(config->insecure);
  CHECK(config->settle_s == 10);
  CHECK(config->health_timeout_s == 120);
  CHECK(config->secret_versions == 10);
  CHECK(config->keep_releases == 20);
  CHECK(config->limits.connections == 1024);
  CHECK(config->default_socket.empty());
  CHECK(config->podman_socket.empty());
  CHECK(config->credentials_directory.empty());
}

TEST_CASE("the XDG folders move the defaults, where they are absolute") {
  Home home;
  home.environment.config_home = home.path("c");
  home.environment.state_home = home.path("s");
  home.environment.runtime_dir = home.path("r");
  home.environment.credentials_directory = "/run/credentials/legerd.service";
  auto config = home.load();
  REQUIRE(config.has_value());
  CHECK(config->file == home.path("c/leger/legerd.toml"));
  CHECK(config->key_file == home.path("c/leger/leger.kek"));
  CHECK(config->quadlet_dir == home.path("c/containers/systemd"));
  CHECK(config->state_dir == home.path("s/leger"));
  CHECK(config->default_socket == home.path("r/leger/legerd.sock"));
  CHECK(config->podman_socket == home.path("r/podman/podman.sock"));
  CHECK(config->credentials_directory == "/run/credentials/legerd.service");

  home.environment.config_home = "relative";
  home.environment.state_home = "relative";
  home.environment.runtime_dir = "relative";
  config = home.load();
  REQUIRE(config.has_value());
  CHECK(config->file == home.file());
  CHECK(config->state_dir == home.path(".local/state/leger"));
  CHECK(config->default_socket.empty());
}

TEST_CASE("a home that is no absolute path is refused") {
  for (const char* home : {"", "relative"}) {
    const auto config = load_config({}, {.home = home});
    REQUIRE_FALSE(config.has_value());
    CHECK(config.error().message.contains("HOME"));
  }
}

TEST_CASE("every key is taken") {
  const Home home;
  const Config config = home.good(R"(
state_dir = "/s"
socket = "/run/x.sock"
listen = ["127.0.0.1:1", "[::1]:2"]
quadlet_dir = "/q"
log_level = "debug"
environment = "staging"
key_file = "/k"
insecure = true
tls = "tailscale"
owner = "9007199254740993"
operators = [7, "8"]
hosts = ["Leger.example.com", "front.example.com:443"]
[tailscale]
socket = "/ts.sock"
userspace = true
api_key_file = "/api"
api_url = "https://control.example.com"
tailnet = "example.com"
[deploy]
settle_s = 0
health_timeout_s = 1
[retention]
secret_versions = 1000
releases = 7
[limits]
requests_per_second = 1
request_burst = 2
sign_ins_per_minute = 3
uploads_per_minute = 4
connections_per_peer = 5
connections = 0
)");
  CHECK(config.state_dir == "/s");
  CHECK(config.socket == "/run/x.sock");
  CHECK(config.listen == std::vector<std::string>{"127.0.0.1:1", "[::1]:2"});
  CHECK(config.quadlet_dir == "/q");
  CHECK(config.log_level == LogLevel::debug);
  CHECK(config.environment == "staging");
  CHECK(config.key_file == "/k");
  CHECK(config.insecure);
  CHECK(config.settle_s == 0);
  CHECK(config.health_timeout_s == 1);
  CHECK(config.secret_versions == 1000);
  CHECK(config.keep_releases == 7);
  CHECK(config.tls.from_tailscale);
  CHECK(config.tls.is_on());
  CHECK(config.owner == 9'007'199'254'740'993);
  CHECK(config.operators == std::vector<std::int64_t>{7, 8});
  CHECK(config.hosts == std::vector<std::string>{"leger.example.com", "front.example.com:443"});
  CHECK(config.tailscale.socket == "/ts.sock");
  CHECK(config.tailscale.userspace);
  CHECK(config.tailscale.api_key_file == "/api");
  CHECK(config.tailscale.api_url == "https://control.example.com");
  CHECK(config.tailscale.tailnet == "example.com");
  CHECK(config.limits.requests_per_second == 1);
  CHECK(config.limits.request_burst == 2);
  CHECK(config.limits.sign_ins_per_minute == 3);
  CHECK(config.limits.uploads_per_minute == 4);
  CHECK(config.limits.connections_per_peer == 5);
  CHECK(config.limits.connections == 0);
}

TEST_CASE("TLS is off by itself, and files of a certificate come in pairs") {
  const Home home;
  CHECK_FALSE(home.good("").tls.is_on());
  const Config config = home.good("[tls]\ncert = \"/c\"\nkey = \"/k\"\n");
  CHECK(config.tls.is_on());
  CHECK_FALSE(config.tls.from_tailscale);
  CHECK(config.tls.cert_file == "/c");
  CHECK(config.tls.key_file == "/k");
  CHECK(home.refusal("[tls]\ncert = \"/c\"\n").contains("[tls] needs both cert and key"));
  CHECK(home.refusal("[tls]\nkey = \"/k\"\n").contains("[tls] needs both cert and key"));
}

TEST_CASE("an empty owner is none, and a flag names tailscaled's socket") {
  const Home home;
  CHECK_FALSE(home.good("owner = \"\"").owner.has_value());
  CHECK(home.good("owner = 7").owner == 7);
  CHECK(home.good("[tailscale]\nsocket = \"/a\"", {.tailscaled_socket = "/b"}).tailscale.socket == "/b");
}

TEST_CASE("doors are switched off by empty values") {
  const Home home;
  const Config config = home.good("socket = \"\"\nlisten = []\n");
  CHECK(config.socket == "");
  CHECK(config.listen == std::vector<std::string>{});
}

TEST_CASE("a value of the wrong kind is refused with its line and its key") {
  const Home home;
  for (const std::string_view line : {"state_dir = 1",
                                      "state_dir = \"relative\"",
                                      "state_dir = \"\"",
                                      "state_dir = \"/a\\u0000b\"",
                                      "socket = 1",
                                      "socket = \"relative\"",
                                      "listen = \"127.0.0.1:1\"",
                                      "listen = [1]",
                                      "listen = [\"127.0.0.1:1\", true]",
                                      "quadlet_dir = []",
                                      "quadlet_dir = \"q\"",
                                      "log_level = \"loud\"",
                                      "log_level = 7",
                                      "environment = 1",
                                      "environment = \"a\\u0000b\"",
                                      "key_file = \"k\"",
                                      "key_file = false",
                                      "insecure = \"yes\"",
                                      "insecure = 1",
                                      "policy.allow_dangerous = \"privileged\"",
                                      "policy.allow_dangerous = [1]",
                                      "deploy.settle_s = -1",
                                      "deploy.settle_s = 3601",
                                      "deploy.settle_s = 1.5",
                                      "deploy.settle_s = \"1\"",
                                      "deploy.health_timeout_s = 0",
                                      "deploy.health_timeout_s = 3601",
                                      "retention.secret_versions = 0",
                                      "retention.secret_versions = 1001",
                                      "retention.releases = 0",
                                      "retention.releases = 1001",
                                      "tls = \"on\"",
                                      "tls = true",
                                      "owner = \"alice\"",
                                      "owner = -1",
                                      "owner = \"18446744073709551616\"",
                                      "operators = 7",
                                      "operators = [\"alice\"]",
                                      "operators = [0]",
                                      "hosts = \"name\"",
                                      "hosts = [\"https://name\"]",
                                      "hosts = [\"\"]",
                                      "tailscale.socket = \"relative\"",
                                      "tailscale.userspace = \"yes\"",
                                      "tailscale.api_url = \"http://example.com\"",
                                      "tailscale.api_url = \"http://127.0.0.1.evil.com\"",
                                      "tailscale.api_url = \"http://127.0.0.1:8@evil.com\"",
                                      "limits.request_burst = -1",
                                      "limits.connections = -1",
                                      "limits.connections = 1000001",
                                      "limits.connections = true"}) {
    const std::string message = home.refusal("# first\n\n" + std::string(line) + "\n");
    CAPTURE(line);
    CHECK(message.starts_with(home.file() + ":3: " + std::string(line.substr(0, line.find(' '))) + " needs "));
  }
}

TEST_CASE("numbers are taken up to their bounds") {
  const Home home;
  CHECK(home.good("deploy.settle_s = 3600").settle_s == 3600);
  CHECK(home.good("deploy.health_timeout_s = 3600").health_timeout_s == 3600);
  CHECK(home.good("retention.secret_versions = 1").secret_versions == 1);
  CHECK(home.good("retention.releases = 1").keep_releases == 1);
  CHECK(home.good("limits.connections = 1000000").limits.connections == 1'000'000);
}

TEST_CASE("an unknown key is refused with its line") {
  const Home home;
  CHECK(home.refusal("# first\nsockets = 1\n") == home.file() + ":2: unknown key \"sockets\"");
  CHECK(home.refusal("[deploy]\nsettle_s = 1\nsetle_s = 1\n") == home.file() + ":3: unknown key \"deploy.setle_s\"");
  CHECK(home.refusal("\n[deployment]\nsettle_s = 1\n") == home.file() + ":2: unknown key \"deployment\"");
  CHECK(home.refusal("[deploy.more]\na = 1\n").ends_with("unknown key \"deploy.more\""));
  CHECK(home.refusal("\"a\\u001b[2J\" = 1\n").ends_with("unknown key \"a\\x1b[2J\""));
  CHECK(home.refusal("deploy = 1\n").ends_with("unknown key \"deploy\""));
  CHECK(home.refusal("[state_dir]\na = 1\n").contains("state_dir needs"));
}

TEST_CASE("text that is not TOML is refused with its line") {
  const Home home;
  CHECK(home.refusal("environment = \"a\"\nsocket =\n").starts_with(home.file() + ":2: "));
  CHECK(home.refusal("insecure = true\ninsecure = false\n").starts_with(home.file() + ":2: "));
  CHECK(home.refusal("environment = \"\xff\"\n").starts_with(home.file() + ":1: "));
}

TEST_CASE("a flag wins over its key") {
  const Home home;
  const Flags flags{.state_dir = "/flag/s",
                    .socket = "/flag/x.sock",
                    .listen = {"127.0.0.1:3"},
                    .quadlet_dir = "/flag/q",
                    .log_level = "error"};
  const Config config = home.good(
      "state_dir = \"/s\"\nsocket = \"/x\"\nlisten = [\"127.0.0.1:1\"]\nquadlet_dir = \"/q\"\nlog_level = \"debug\"\n",
      flags);
  CHECK(config.state_dir == "/flag/s");
  CHECK(config.socket == "/flag/x.sock");
  CHECK(config.listen == std::vector<std::string>{"127.0.0.1:3"});
  CHECK(config.quadlet_dir == "/flag/q");
  CHECK(config.log_level == LogLevel::error);
}

TEST_CASE("empty flags switch doors off") {
  const Home home;
  const Config config = home.good("socket = \"/x\"\nlisten = [\"127.0.0.1:1\"]\n", {.socket = "", .listen = {""}});
  CHECK(config.socket == "");
  CHECK(config.listen == std::vector<std::string>{});
}

TEST_CASE("Podman keeps the values of secrets, or asks legerd, which needs its socket for that") {
  Home home;
  home.environment.runtime_dir = home.path("r");
  CHECK_FALSE(home.load()->podman_asks_legerd);
  home.write("podman_secrets = \"legerd\"\nleger_path = \"/opt/leger\"\n");
  const auto config = home.load();
  REQUIRE(config.has_value());
  CHECK(config->podman_asks_legerd);
  CHECK(config->leger_path == "/opt/leger");
  CHECK_FALSE(home.load({.socket = ""}).has_value());
  home.write("podman_secrets = \"shell\"\n");
  const auto unknown = home.load();
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().message.contains("needs \"file\" or \"legerd\""));
}

TEST_CASE("an unknown log level on the command line is refused") {
  const Home home;
  const auto config = home.load({.log_level = "loud"});
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().message.contains("--log-level"));
}

TEST_CASE("a named configuration must be there, and its folder holds the key") {
  const Home home;
  const auto absent = home.load({.config = home.path("absent.toml")});
  REQUIRE_FALSE(absent.has_value());
  CHECK(absent.error().message.contains(home.path("absent.toml")));
  std::ofstream(home.path("other.toml")) << "environment = \"other\"\n";
  const auto config = home.load({.config = home.path("other.toml")});
  REQUIRE(config.has_value());
  CHECK(config->environment == "other");
  CHECK(config->key_file == home.path("leger.kek"));
}

TEST_CASE("a configuration that cannot be read is refused") {
  const Home home;
  std::filesystem::create_directory(home.file());
  const auto folder = home.load();
  REQUIRE_FALSE(folder.has_value());
  CHECK(folder.error().message.contains(home.file()));
  std::filesystem::remove(home.file());
  home.write(std::string(1024 * 1024 + 1, '#'));
  CHECK_FALSE(home.load().has_value());
}

TEST_CASE("rules of the policy are lifted by name, and an unknown one is told with those that there are") {
  const Home home;
  const auto config = home.good("[policy]\nallow_dangerous = [\"privileged\", \"shop:host-path\"]");
  CHECK(config.allow_dangerous == std::vector<std::string>{"privileged", "shop:host-path"});
  const std::string refusal = home.refusal("[policy]\nallow_dangerous = [\"privileged\", \"shop:host-paths\"]");
  CHECK(refusal.contains("policy.allow_dangerous"));
  CHECK(refusal.contains("host-paths"));
  CHECK(refusal.contains("host-path, "));
}

}  // namespace leger::test
