// What Podman asks at the start of a container: the host's own account is answered at the Unix socket, nobody else.

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "backend/store/database.h"
#include "daemon/secret_keeper.h"
#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

Answer ask_owner(TailnetDaemon& tailnet, std::string_view method, std::string_view path, std::string_view body = {}) {
  return ask(tailnet.daemon->unix_socket(), request(method, path, body));
}

}  // namespace

TEST_CASE("a secret that no app was deployed with is not found by Podman, and the question is on record") {
  TailnetDaemon tailnet;
  CHECK(ask_owner(tailnet, "PUT", "/api/secrets/key", R"({"value":"hidden"})").status == 201);
  const Answer answer = ask_owner(tailnet, "GET", "/api/podman-secrets/key?user=x&version=1");
  CHECK(answer.status == 404);
  CHECK(TailnetDaemon::code_of(answer) == "secret_not_found");
  const Json rows = TailnetDaemon::data_of(ask_owner(tailnet, "GET", "/api/audit?action=secret.lookup"));
  REQUIRE(rows["entries"].size() == 1);
  CHECK(rows["entries"][0]["object"] == "key");
  CHECK(rows["entries"][0]["outcome"] == "secret_not_found");
}

TEST_CASE("a look-up without account or version is refused") {
  TailnetDaemon tailnet;
  for (const std::string_view query : {"", "?user=x", "?version=1", "?user=x&version=0", "?user=x&version=new"}) {
    CAPTURE(query);
    const Answer answer = ask_owner(tailnet, "GET", "/api/podman-secrets/key" + std::string(query));
    CHECK(TailnetDaemon::code_of(answer) == "invalid_request");
  }
}

TEST_CASE("over TCP nobody looks secrets up for Podman") {
  TailnetDaemon tailnet({.change = [](Config& config) { config.operators = {101}; }});
  const std::string authorization = bearer(tailnet.token());
  const std::string_view path = "/api/podman-secrets/key?user=x&version=1";
  CHECK(ask(tailnet.connect(), request("GET", path, {}, authorization)).status == 403);
  CHECK(ask(tailnet.connect(), request("GET", path)).status == 401);
}

TEST_CASE("a sync where nothing is deployed is a row that ends well") {
  TailnetDaemon tailnet;
  const Answer answer = ask_when_ready(tailnet.daemon->unix_socket(), request("POST", "/api/secrets/sync"));
  const Json accepted = TailnetDaemon::data_of(answer, 202);
  const std::string path = "/api/deployments/" + accepted["id"].get<std::string>();
  Json row;
  do {
    tailnet.daemon->settle();
    row = TailnetDaemon::data_of(ask_owner(tailnet, "GET", path));
  } while (row["finished_at"].is_null());
  CHECK(row["kind"] == "sync");
  CHECK(row["state"] == "deployed");
  CHECK(row["plan"] == Json{{"units", Json::array()}, {"restart", Json::array()}, {"secrets", Json::array()}});
}

TEST_CASE("who keeps Podman's values is what the configuration says, and must be there") {
  Config config{.socket = "/run/x.sock"};
  CHECK(secret_keeper(config).program.empty());
  CHECK(check_secret_keeper(secret_keeper(config)));
  config.podman_asks_legerd = true;
  const SecretKeeper beside = secret_keeper(config);
  CHECK(beside.program.ends_with("/tests/daemon/leger"));
  CHECK(beside.socket == "/run/x.sock");
  const auto absent = check_secret_keeper(beside);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().action.contains("leger_path"));
  config.leger_path = "/bin/sh";
  CHECK(secret_keeper(config).program == "/bin/sh");
  CHECK(check_secret_keeper(secret_keeper(config)));
}

TEST_CASE("legerd's own programs are known where its user could change them, with what links lead to") {
  const auto has = [](const Config& config, const std::string& path) {
    return std::ranges::contains(leger_programs(config), path);
  };
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
  CHECK(has({}, own.string()));
  CHECK(has({}, (own.parent_path() / "leger").string()));
  const TemporaryFolder folder;
  std::filesystem::create_symlink(own, folder / "leger");
  CHECK(has({.leger_path = folder / "leger"}, folder / "leger"));
  CHECK(has({.leger_path = folder / "leger"}, std::filesystem::canonical(own).string()));
  std::string others = "/proc/sys/leger";
  if (getuid() == 0) {
    std::filesystem::create_directory(folder / "others");
    REQUIRE(chown((folder / "others").c_str(), 65'534, 65'534) == 0);
    others = folder / "others/leger";
  }
  CHECK_FALSE(has({.leger_path = others}, others));
}

}  // namespace leger::test
