// What a server may do to leger: say no, send garbage, be silent, be gone.

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <vector>

#include "cli/api_client.h"
#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kServices = "GET /api/services";

std::string action_of_garbage() {
  return "\n\nCheck that legerd is what answers there, and that it is as new as this leger: leger --version\n";
}

TEST_CASE("an answer that is not legerd's is told apart from every other failure") {
  struct Line {
    int status;
    std::string body;
    std::string why;
  };
  const std::vector<Line> lines{
      {200, "<html>hello</html>", "its answer with status 200 is not JSON"},
      {200, "", "its answer with status 200 is not JSON"},
      {200, "[]", "its answer with status 200 is not JSON"},
      {200, "{\"success\":true", "its answer with status 200 is not JSON"},
      {200, R"({"success":true,"success":true,"data":{}})", "its answer with status 200 is not JSON"},
      {200, R"({"success":"yes","data":{}})", "its answer with status 200 has no envelope"},
      {200, R"({"success":true})", "its answer with status 200 has no envelope"},
      {200, failure(R"({"code":"conflict","message":"x"})"), "its answer with status 200 has no envelope"},
      {404, success("{}"), "its answer with status 404 has no envelope"},
      {500, failure("7"), "its answer with status 500 has no envelope"},
      {500, R"({"success":false})", "its answer with status 500 has no envelope"},
      {301, success("{}"), "its answer with status 301 has no envelope"},
      {200, success("null"), "it sends no list of services"},
      {200, success("[]"), "it sends no list of services"},
      {200, success(R"({"services":{}})"), "it sends no list of services"},
  };
  for (const Line& line : lines) {
    CAPTURE(line.body);
    Harness harness;
    harness.api->reply(kServices, line.status, line.body);
    const Ran ran = harness.run({"status"});
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err == (harness.folder / "leger/legerd.sock") + " does not answer as legerd does: " + line.why + "." +
                         action_of_garbage());
  }
}

TEST_CASE("every command survives data of another shape") {
  Harness harness;
  const std::string bundle = harness.write_file("b", "x");
  const std::vector<std::vector<std::string>> commands{{"secrets", "set", "key", "-"},
                                                       {"secrets", "list"},
                                                       {"secrets", "get", "key"},
                                                       {"releases", "upload", bundle},
                                                       {"releases", "list"},
                                                       {"releases", "show"},
                                                       {"releases", "download"},
                                                       {"releases", "delete", "3"},
                                                       {"releases", "diff", "3"},
                                                       {"deploy", "install"},
                                                       {"deploy", "install", "3"},
                                                       {"deploy", "list"},
                                                       {"deploy", "plan"},
                                                       {"deploy", "update"},
                                                       {"deploy", "remove", "hello"},
                                                       {"deploy", "remove"},
                                                       {"status"}};
  for (const char* data : {"null", "[]", "7", "\"text\"", "{}", "[{\"version\":1}]"}) {
    Harness own;
    for (const char* request :
         {"POST /api/secrets/set", "GET /api/secrets/list?limit=10000", "GET /api/secrets/get/key",
          "POST /api/releases", "GET /api/releases", "GET /api/releases/latest", "GET /api/releases/3",
          "GET /api/deployments", "POST /api/deployments/plan", "DELETE /api/deployments/hello", "GET /api/services"}) {
      own.api->reply(request, 200, success(data));
    }
    for (const auto& command : commands) {
      CAPTURE(data);
      CAPTURE(command[0]);
      const Ran ran = own.run(command, "value");
      CHECK(ran.exit == 1);
      CHECK(ran.out.empty());
      CHECK(ran.err.contains("does not answer as legerd does"));
    }
  }
}

TEST_CASE("lists whose entries are of another shape are printed with what they have") {
  Harness harness;
  harness.api->reply("GET /api/secrets/list?limit=10000", 200, success(R"({"secrets":[7,null,{"name":8},[1]]})"));
  const Ran ran = harness.run({"secrets", "list"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.ends_with("Total: 4 secrets\n"));
}

TEST_CASE("a value that is neither text nor good base64 is an error") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key", 200, success(R"({"name":"key","value_base64":"???"})"));
  const Ran ran = harness.run({"secrets", "get", "key"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.contains("it sends no value"));
}

TEST_CASE("bytes that are no HTTP, and a connection that is closed, are no answer") {
  for (const char* bytes : {"", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"}) {
    CAPTURE(bytes);
    Harness harness;
    harness.api->reply_bytes(kServices, bytes);
    const Ran ran = harness.run({"status"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.starts_with("No answer from " + (harness.folder / "leger/legerd.sock")));
    CHECK(ran.err.contains("systemctl --user start legerd.socket"));
  }
}

TEST_CASE("a server that is gone, and one that is silent, are unavailable") {
  Harness harness;
  harness.api.reset();
  const Ran gone = harness.run({"status", "--json"});
  CHECK(gone.exit == 1);
  CHECK(gone.err.starts_with(R"({"error":{"code":"unavailable","message":"No answer from )"));

  test::TemporaryFolder folder;
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const test::Descriptor owned(listener);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder / "silent";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(listener, 4) == 0);
  harness.io.patience.answer_ms = 50;
  const Ran silent = harness.run({"status", "--socket", path});
  CHECK(silent.exit == 1);
  CHECK(silent.err.contains("Timeout was reached"));
}

TEST_CASE("an error is its message and its action, in both dialects and as JSON") {
  Harness harness;
  harness.api->reply(kServices, 503, failure(R"({"code":"unavailable","message":"Recovering.","action":"Wait."})"));
  CHECK(harness.run({"status"}).err == "Recovering.\n\nWait.\n");
  CHECK(harness.run({"--json", "status"}).err ==
        "{\"error\":{\"code\":\"unavailable\",\"message\":\"Recovering.\",\"action\":\"Wait.\"}}\n");
  harness.api->reply("GET /api/secrets/list?limit=10000", 401, failure(R"("invalid_token","message":"No token.")"));
  CHECK(harness.run({"secrets", "list"}).err == "No token.\n");
  harness.api->reply("GET /api/releases", 403, failure(R"("account_not_linked")"));
  CHECK(harness.run({"releases", "list"}).err == "legerd refuses: account_not_linked.\n");
}

TEST_CASE("a code that this leger does not know keeps the meaning of its status") {
  Harness harness;
  harness.api->reply(kServices, 404, failure(R"({"code":"planet_not_found","message":"No planet."})"));
  CHECK(harness.run({"status"}).err == "No planet. (planet_not_found)\n");
  CHECK(harness.run({"status", "--json"}).err ==
        "{\"error\":{\"code\":\"not_found\",\"message\":\"No planet. (planet_not_found)\"}}\n");
  harness.api->reply("GET /api/releases", 418, failure(R"({"code":"teapot"})"));
  CHECK(harness.run({"releases", "list", "--json"}).err ==
        "{\"error\":{\"code\":\"internal_error\",\"message\":\"legerd refuses: teapot.\"}}\n");
}

TEST_CASE("an error's text can neither forge lines nor steer the terminal") {
  Harness harness;
  harness.api->reply(
      kServices, 500,
      failure(R"({"code":"internal_error","message":"a\n✓ done","action":"\u001b[2J","details":{"k\u001b":"v\r"}})"));
  CHECK(harness.run({"status"}).err == "a\\x0a✓ done\n  k\\x1b: v\\x0d\n\n\\x1b[2J\n");
}

TEST_CASE("requests go to the server with its prefix and say what is accepted") {
  Harness harness;
  harness.api->reply(kServices, 200, success(R"({"services":[]})"));
  CHECK(harness.run({"status"}).exit == 0);
  const auto seen = harness.api->seen();
  CHECK(seen.at(0).headers.at("accept") == "application/json");
  CHECK(seen.at(0).headers.at("host") == "localhost");
  CHECK(seen.at(0).headers.count("content-type") == 0);
}

}  // namespace
}  // namespace leger
