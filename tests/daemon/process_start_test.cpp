// What the real legerd says on its command line: configuration, flags, exit codes.

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include "tests/daemon/legerd_process.h"
#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

// A home with this configuration file.
std::shared_ptr<TemporaryFolder> home_with(std::string_view configuration) {
  auto home = std::make_shared<TemporaryFolder>();
  std::filesystem::create_directories(*home / ".config/leger");
  write_file(*home / ".config/leger/legerd.toml", configuration);
  return home;
}

struct Ended {
  int code;
  std::string output;
};

Ended run(std::vector<std::string> arguments, const std::shared_ptr<TemporaryFolder>& home = home_with("")) {
  LegerdProcess legerd({.arguments = std::move(arguments), .listens = false, .home = home});
  const int code = legerd.wait();
  return {code, legerd.output()};
}

bool made_something(const TemporaryFolder& home) {
  return std::filesystem::exists(home / ".local") || std::filesystem::exists(home / "run");
}

}  // namespace

TEST_CASE("--check-config tells whether the configuration is right, and starts nothing") {
  const auto good = home_with("environment = \"test\"\n");
  const Ended right = run({"--check-config"}, good);
  CHECK(right.code == 0);
  CHECK(right.output == *good / ".config/leger/legerd.toml is right.\n");
  CHECK_FALSE(made_something(*good));
  const auto bad = home_with("\nenvironmental = \"test\"\n");
  const Ended wrong = run({"--check-config"}, bad);
  CHECK(wrong.code == 1);
  CHECK(wrong.output.contains(*bad / ".config/leger/legerd.toml:2: unknown key \"environmental\""));
  CHECK_FALSE(made_something(*bad));
}

TEST_CASE("a wrong configuration keeps it from starting") {
  const auto home = home_with("[limits]\nconnections = \"many\"\n");
  const Ended ended = run({}, home);
  CHECK(ended.code == 1);
  CHECK(ended.output.contains(":2: limits.connections needs a whole number"));
  CHECK_FALSE(made_something(*home));
}

TEST_CASE("an address that the world reaches is refused, and nothing listens") {
  const auto home = home_with("");
  const Ended ended = run({"--listen", "0.0.0.0:1"}, home);
  CHECK(ended.code == 1);
  CHECK(ended.output.contains("Refusing to listen without TLS on 0.0.0.0:1"));
  CHECK(ended.output.contains("insecure = true"));
}

TEST_CASE("insecure lets it listen on any address") {
  const auto home = home_with("insecure = true\n");
  const std::string address = "0.0.0.0:" + std::to_string(free_port());
  LegerdProcess legerd({.arguments = {"--listen", address}, .listens = false, .home = home});
  legerd.wait_until_serving();
  legerd.signal(SIGTERM);
  CHECK(legerd.wait() == 0);
  CHECK(legerd.output().contains("address=" + address));
}

TEST_CASE("the number of connections is taken from the configuration") {
  const auto home = home_with("hosts = [\"localhost:80\"]\n[limits]\nconnections = 17\n");
  LegerdProcess legerd({.arguments = {}, .home = home});
  legerd.wait_until_serving();
  std::vector<Client> clients;
  for (int i = 0; i < 17; ++i) {
    clients.push_back(legerd.tcp());
    clients.back().send(request("GET", "/health"));
    CHECK(clients.back().read_answer().status == 200);
  }
  Client waiting = legerd.tcp();
  waiting.send(request("GET", "/health"));
  CHECK(ask(legerd.unix_socket(), request("GET", "/api/secrets")).status == 200);
  CHECK(waiting.is_quiet());
  clients.pop_back();
  CHECK(waiting.read_answer().status == 200);
}

TEST_CASE("doors are switched off by empty flags") {
  LegerdProcess legerd({.arguments = {"--listen", "", "--log-level", "info"}, .listens = false});
  legerd.wait_until_serving();
  legerd.signal(SIGTERM);
  CHECK(legerd.wait() == 0);
  const std::string output = legerd.output();
  CHECK(output.contains("legerd.sock"));
  CHECK_FALSE(output.contains("127.0.0.1"));
}

TEST_CASE("the command line is explained, and wrong ones are refused with 2") {
  const Ended help = run({"--help"});
  CHECK(help.code == 0);
  CHECK(help.output.contains("--state-dir"));
  CHECK(run({"--version"}).output == "legerd " LEGER_VERSION "\n");
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--unknown"}, {"word"}, {"--socket"}}) {
    const Ended ended = run(wrong);
    CHECK(ended.code == 2);
    CHECK_FALSE(ended.output.empty());
  }
  CHECK(run({"--log-level", "loud"}).code == 1);
  CHECK(run({"--config", "/absent/legerd.toml"}).code == 1);
}

TEST_CASE("a state folder that cannot be made is said so") {
  const Ended ended = run({"--state-dir", "/proc/leger"});
  CHECK(ended.code == 1);
  CHECK(ended.output.contains("/proc/leger"));
}

}  // namespace leger::test
