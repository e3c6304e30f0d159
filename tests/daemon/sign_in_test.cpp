// Signing in over TCP: what is proven makes the identity, what is claimed is compared, and nothing else counts.

#include <doctest/doctest.h>

#include <array>
#include <format>
#include <random>
#include <string>

#include "backend/crypto/seal.h"
#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

constexpr std::string_view kFlat =
    R"({"device_id":"nAliceCNTRL","user_id":"101","email":"alice@example.com","tailnet":"t","hostname":"laptop"})";
constexpr std::string_view kNested =
    R"({"tailscale":{"user_id":"u101","login_name":"ALICE@example.com","device_id":"11","device_hostname":"laptop",)"
    R"("tailnet":"t"},"cli_version":"0.1.0"})";

Answer sign_in(TailnetDaemon& tailnet, std::string_view body, std::string_view path = "/api/auth/cli") {
  return ask(tailnet.connect(), request("POST", path, body));
}

std::string flat(std::string_view user_id, std::string_view device_id, std::string_view email) {
  return Json{{"user_id", user_id}, {"device_id", device_id}, {"email", email}}.dump();
}

}  // namespace

TEST_CASE("both forms of the claims sign in on both paths, with the union of both answers") {
  TailnetDaemon tailnet;
  for (const std::string_view path : {"/api/auth/cli", "/auth/cli"}) {
    for (const std::string_view body : {kFlat, kNested}) {
      const Answer answer = sign_in(tailnet, body, path);
      const Json data = TailnetDaemon::data_of(answer);
      CHECK(answer.has("Cache-Control: no-store"));
      CHECK(data.at("token_type") == "Bearer");
      CHECK(data.at("expires_in") == 2'592'000);
      CHECK(data.at("user_uuid") == name_uuid("101"));
      const Json user{{"user_uuid", name_uuid("101")},
                      {"email", "alice@example.com"},
                      {"tailscale_email", "alice@example.com"},
                      {"display_name", "Alice"},
                      {"tailnet", data.at("user").at("tailnet")}};
      CHECK(data.at("user") == user);
      Client client = tailnet.connect();
      client.send(request("GET", "/api/secrets", {}, bearer(data.at("token").get<std::string>())));
      CHECK(client.read_answer().status == 200);
    }
  }
  CHECK(tailnet.stored("SELECT total_authentications FROM users WHERE tailscale_user_id = '101'") == 4);
  CHECK(tailnet.stored("SELECT count(*) FROM users WHERE cli_version = '0.1.0' AND last_device_id = 'nAliceCNTRL'") ==
        1);
}

TEST_CASE("claims that are not what tailscaled says are refused, in the dialect of the path, and leave nothing") {
  TailnetDaemon tailnet;
  const std::array wrong{flat("102", "", ""),
                         flat("u102", "nAliceCNTRL", "alice@example.com"),
                         flat("101", "nBobCNTRL", ""),
                         flat("101", "12", ""),
                         flat("101", "", "bob@example.com"),
                         flat("0101", "", ""),
                         flat("uu101", "", ""),
                         flat("101 ", "", ""),
                         std::string(R"({"tailscale":{"user_id":"102"}})"),
                         std::string(R"({"tailscale":{"user_id":"101","login_name":"bob@example.com"}})"),
                         std::string(R"({"tailscale":{"user_id":"101","device_id":"nBobCNTRL"}})")};
  for (const std::string& body : wrong) {
    CAPTURE(body);
    for (const std::string_view path : {"/api/auth/cli", "/auth/cli"}) {
      const Answer answer = sign_in(tailnet, body, path);
      CHECK(answer.status == 403);
      CHECK(TailnetDaemon::code_of(answer) == "tailscale_verification_failed");
      CHECK(Json::parse(answer.body).at("error").is_object() == (path == "/api/auth/cli"));
    }
  }
  CHECK(tailnet.stored("SELECT count(*) FROM users") == 1);  // the owner
  CHECK(tailnet.stored("SELECT count(*) FROM sessions") == 0);
}

TEST_CASE("whatever is claimed, a token is of whom tailscaled names") {
  TailnetDaemon tailnet;
  std::mt19937 random(20261125);  // a seed, so that a failure can be had again
  const std::array<std::string_view, 5> users{"101", "u101", "102", "", "alice"};
  const std::array<std::string_view, 4> devices{"nAliceCNTRL", "11", "12", ""};
  const std::array<std::string_view, 4> emails{"alice@example.com", "Alice@Example.com", "bob@example.com", ""};
  const auto pick = [&random](const auto& from) { return from.at(random() % from.size()); };
  int signed_in = 0;
  for (int i = 0; i < 150; ++i) {
    const std::string body = flat(pick(users), pick(devices), pick(emails));
    CAPTURE(body);
    const Answer answer = sign_in(tailnet, body);
    if (answer.status != 200) continue;
    ++signed_in;
    CHECK(TailnetDaemon::data_of(answer).at("user_uuid") == name_uuid("101"));
  }
  CHECK(signed_in > 10);
  CHECK(tailnet.stored("SELECT count(*) FROM users") == 2);
}

TEST_CASE("a body that is no claim is refused, whatever it is") {
  TailnetDaemon tailnet;
  for (const std::string& body :
       {std::string("{}"), std::string("[]"), std::string("null"), std::string("{"), std::string("\xff"),
        std::string(R"({"user_id":101})"), std::string(R"({"user_id":null})"), std::string(R"({"user_id":""})"),
        std::string(R"({"user_id":"101","x":1})"), std::string(R"({"user_id":"101","user_id":"101"})"),
        std::string(R"({"tailscale":"x"})"), std::string(R"({"tailscale":{}})"),
        std::string(R"({"tailscale":{"user_id":"101"},"cli_version":1})"),
        R"({"user_id":"101","hostname":")" + std::string(256, 'h') + "\"}"}) {
    CAPTURE(body);
    const Answer answer = sign_in(tailnet, body);
    CHECK(answer.status == 400);
    CHECK(TailnetDaemon::code_of(answer) == "invalid_request");
  }
  CHECK(sign_in(tailnet, std::string(4097, ' ')).status == 413);
  CHECK(tailnet.stored("SELECT count(*) FROM sessions") == 0);
}

TEST_CASE("headers that name somebody change nothing") {
  TailnetDaemon tailnet;
  const std::string forged =
      "Tailscale-User-Login: olga@example.com\r\nTailscale-User-Name: Olga\r\nX-Forwarded-For: 100.64.0.1\r\n"
      "X-Real-IP: 100.64.0.1\r\nForwarded: for=100.64.0.1\r\nX-Forwarded-User: olga\r\nX-Remote-User: olga\r\n"
      "True-Client-IP: 100.64.0.1\r\nVia: 1.1 x\r\n";
  const Answer answer = ask(tailnet.connect(), request("POST", "/api/auth/web", "{}", forged));
  CHECK(TailnetDaemon::data_of(answer).at("user").at("email") == "alice@example.com");
}

TEST_CASE("the browser is told who it would sign in as, or why not") {
  TailnetDaemon tailnet;
  const Json peer = TailnetDaemon::data_of(ask(tailnet.connect(), request("GET", "/api/auth/peer")));
  CHECK(peer.at("login_name") == "alice@example.com");
  CHECK(peer.at("display_name") == "Alice");
  CHECK(peer.at("hostname") == "laptop");
  for (const auto& [node, words] : std::initializer_list<std::pair<FakeNode, std::string_view>>{
           {{.tags = {"tag:ci"}}, "tag:ci"},
           {{.sharer = 7}, "another tailnet"},
           {{.key_expiry = "2001-01-01T00:00:00Z"}, "expired"}}) {
    tailnet.tailscaled.set_default_whois(whois_answer(node));
    for (const auto& [method, path] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {"GET", "/api/auth/peer"}, {"POST", "/api/auth/web"}}) {
      const Answer refused = ask(tailnet.connect(), request(method, path, method == "POST" ? "{}" : ""));
      CHECK(refused.status == 403);
      CHECK(refused.body.contains(words));
    }
  }
  CHECK(tailnet.stored("SELECT count(*) FROM users") == 1);
}

TEST_CASE("the Unix socket needs no sign-in and says so") {
  TailnetDaemon tailnet;
  const Answer answer = ask(tailnet.daemon->unix_socket(), request("POST", "/api/auth/web", "{}"));
  CHECK(answer.status == 403);
  CHECK(answer.body.contains("leger auth login"));
}

TEST_CASE("the user of the host's node signs in to the account of the Unix socket") {
  TailnetDaemon tailnet;
  Client socket = tailnet.daemon->unix_socket();
  socket.send(request("PUT", "/api/secrets/shared", R"({"value":"v"})"));
  CHECK(socket.read_answer().status == 201);
  Client olga = tailnet.connect_as({.user_id = 42, .login_name = "olga@example.com", .stable_id = "nOlgasLaptop"});
  const std::string token = tailnet.token_on(olga);
  olga.send(request("GET", "/api/secrets/shared", {}, bearer(token)));
  CHECK(TailnetDaemon::data_of(olga.read_answer()).at("value") == "v");
  olga.send(request("GET", "/api/auth/me", {}, bearer(token)));
  const Json me = TailnetDaemon::data_of(olga.read_answer());
  CHECK(me.at("roles") == Json::array({"user", "operator"}));
  CHECK(me.at("session").at("binding") == "tailnet:42");
  const std::string alice = tailnet.token();
  Client client = tailnet.connect();
  client.send(request("GET", "/api/secrets/shared", {}, bearer(alice)));
  CHECK(client.read_answer().status == 404);
}

TEST_CASE("while tailscaled misbehaves nobody signs in, and others are served") {
  TailnetDaemon tailnet;
  using Fault = FakeTailscaled::Fault;
  for (const Fault fault : {Fault::hang, Fault::byte_by_byte, Fault::garbage, Fault::huge, Fault::close,
                            Fault::wrong_types, Fault::truncated_json, Fault::cut_off}) {
    CAPTURE(static_cast<int>(fault));
    tailnet.daemon->advance(61'000);  // past the time for which it is not asked after failures
    tailnet.tailscaled.set_fault(fault);
    Client waiting = tailnet.connect();
    waiting.send(request("POST", "/api/auth/web", "{}"));
    CHECK(ask(tailnet.connect(), request("GET", "/health")).status == 200);
    CHECK(ask(tailnet.daemon->unix_socket(), request("GET", "/api/secrets")).status == 200);
    const Answer answer = waiting.read_answer();
    CHECK(answer.status == 503);
    CHECK(TailnetDaemon::code_of(answer) == "unavailable");
  }
  tailnet.tailscaled.refuse_with(403, "no");
  tailnet.daemon->advance(61'000);
  CHECK(ask(tailnet.connect(), request("POST", "/api/auth/web", "{}")).status == 503);
  tailnet.tailscaled.set_fault(Fault::none);
  tailnet.daemon->advance(61'000);
  CHECK(ask(tailnet.connect(), request("POST", "/api/auth/web", "{}")).status == 200);
}

}  // namespace leger::test
