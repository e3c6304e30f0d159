// The routes that change keys: the owner's at the Unix socket, nobody's over TCP.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "tests/daemon/tailnet_daemon.h"
#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

constexpr std::string_view kRotateData = "/api/admin/keys/data/rotate";
constexpr std::string_view kRotateKek = "/api/admin/keys/kek/rotate";

// Of the owner at the Unix socket.
Answer ask_owner(TailnetDaemon& tailnet, std::string_view method, std::string_view path, std::string_view body = {}) {
  return ask(tailnet.daemon->unix_socket(), request(method, path, body));
}

}  // namespace

TEST_CASE("the owner rotates the data key while secrets are in use, and it is on record") {
  TailnetDaemon tailnet;
  CHECK(ask_owner(tailnet, "PUT", "/api/secrets/key", R"({"value":"hidden"})").status == 201);
  CHECK(TailnetDaemon::data_of(ask_owner(tailnet, "POST", kRotateData), 202) == Json{{"key_id", 3}});
  CHECK(TailnetDaemon::data_of(ask_owner(tailnet, "GET", "/api/secrets/key"))["value"] == "hidden");
  while (tailnet.stored("SELECT count(*) FROM data_keys WHERE purpose = 'secrets'") > 1) tailnet.daemon->settle();
  CHECK(tailnet.stored("SELECT key_id FROM secret_versions") == 3);
  CHECK(TailnetDaemon::data_of(ask_owner(tailnet, "GET", "/api/secrets/key"))["value"] == "hidden");
  const Json rows = TailnetDaemon::data_of(ask_owner(tailnet, "GET", "/api/audit?action=key.rotate_data"));
  REQUIRE(rows["entries"].size() == 1);
  CHECK(rows["entries"][0]["object"] == "3");
  CHECK(rows["entries"][0]["source"] == "socket");
}

TEST_CASE("the owner passes to another key-encryption key, and the next start takes it") {
  auto home = std::make_shared<TemporaryFolder>();
  const TemporaryFolder elsewhere;
  const std::string file = elsewhere / "new.kek";
  const std::string body = R"({"new_key_file":")" + file + R"("})";
  write_file(file, std::string(32, 'n'));
  REQUIRE(chmod(file.c_str(), 0400) == 0);
  {
    TailnetDaemon tailnet({.folder = home});
    CHECK(ask_owner(tailnet, "PUT", "/api/secrets/key", R"({"value":"hidden"})").status == 201);
    CHECK(TailnetDaemon::data_of(ask_owner(tailnet, "POST", kRotateKek, body), 202) == Json{{"new_key_file", file}});
    CHECK(TailnetDaemon::code_of(ask_owner(tailnet, "POST", kRotateKek, body)) == "conflict");
  }
  TailnetDaemon again({.folder = home});
  CHECK(TailnetDaemon::data_of(ask_owner(again, "GET", "/api/secrets/key"))["value"] == "hidden");
}

TEST_CASE("a request that names no file for a key is refused") {
  TailnetDaemon tailnet;
  for (const std::string_view body :
       {"", "{}", R"({"new_key_file":1})", R"({"new_key_file":""})", R"({"new_key_file":"new.kek"})",
        R"({"new_key_file":"/absent/new.kek"})", R"({"new_key_file":"/absent/new.kek","more":1})"}) {
    CAPTURE(body);
    CHECK(TailnetDaemon::code_of(ask_owner(tailnet, "POST", kRotateKek, body)) == "invalid_request");
  }
}

TEST_CASE("keys are changed at the Unix socket only, whoever asks") {
  TailnetDaemon tailnet({.change = [](Config& config) { config.operators = {101}; }});
  const std::string authorization = bearer(tailnet.token());
  Client client = tailnet.connect();
  client.send(request("GET", "/api/deployments", {}, authorization));
  REQUIRE(client.read_answer().status == 200);  // an operator indeed
  for (const std::string_view path : {kRotateData, kRotateKek}) {
    const std::string_view body = path == kRotateKek ? R"({"new_key_file":"/new.kek"})" : "";
    const Answer answer = ask(tailnet.connect(), request("POST", path, body, authorization));
    CHECK(answer.status == 403);
    CHECK(TailnetDaemon::code_of(answer) == "insufficient_permissions");
    CHECK(answer.body.contains("only over the Unix socket"));
    CHECK(ask(tailnet.connect(), request("POST", path, body)).status == 401);
    // Who may not is told so before anything is said of the body.
    const std::string lines = authorization + "Content-Type: text/plain\r\n";
    CHECK(ask(tailnet.connect(), request("POST", path, "x", lines)).status == 403);
  }
  CHECK(tailnet.stored("SELECT count(*) FROM data_keys") == 2);
}

}  // namespace leger::test
