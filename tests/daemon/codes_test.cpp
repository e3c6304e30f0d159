// One-time codes between two clients of a person, and the tokens of the host itself.

#include <doctest/doctest.h>

#include <format>
#include <string>

#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

const std::string kAskForCode = std::format(R"({{"challenge":"{}"}})", kChallenge);

std::string exchange_body(std::string_view code, std::string_view verifier = kVerifier) {
  return std::format(R"({{"code":"{}","verifier":"{}"}})", code, verifier);
}

std::string code_of_answer(const Answer& answer) {
  const Json data = TailnetDaemon::data_of(answer);
  CHECK(data.at("expires_in") == 60);
  return data.at("code");
}

// A code of Alice's.
std::string alices_code(TailnetDaemon& tailnet, const std::string& token) {
  return code_of_answer(ask(tailnet.connect(), request("POST", "/api/auth/code", kAskForCode, bearer(token))));
}

Answer exchange(Client client, std::string_view code, std::string_view verifier = kVerifier) {
  return ask(std::move(client), request("POST", "/api/auth/exchange", exchange_body(code, verifier)));
}

std::string reason_of(const Answer& answer) { return Json::parse(answer.body).at("error").at("details").at("reason"); }

// A token of the host itself, as `leger auth login` gets it.
std::string local_token(const RunningDaemon& daemon) {
  const std::string code = code_of_answer(ask(daemon.unix_socket(), request("POST", "/api/auth/code", kAskForCode)));
  return TailnetDaemon::data_of(exchange(daemon.unix_socket(), code)).at("token");
}

}  // namespace

TEST_CASE("a code carries a sign-in to another client of the same person") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  Client cli = tailnet.connect();
  cli.send(request("POST", "/api/auth/exchange", exchange_body(alices_code(tailnet, token))));
  const Json data = TailnetDaemon::data_of(cli.read_answer());
  CHECK(data.at("user").at("email") == "alice@example.com");
  cli.send(request("GET", "/api/auth/me", {}, bearer(data.at("token").get<std::string>())));
  CHECK(TailnetDaemon::data_of(cli.read_answer()).at("session").at("binding") == "tailnet:101");
}

TEST_CASE("a code is good once, for sixty seconds, for its verifier and for its person, and the refusal says which") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  const std::string once = alices_code(tailnet, token);
  CHECK(exchange(tailnet.connect(), once).status == 200);
  const Answer used = exchange(tailnet.connect(), once);
  CHECK(used.status == 401);
  CHECK(reason_of(used) == "used");

  const std::string guarded = alices_code(tailnet, token);
  const Answer other_cli = exchange(tailnet.connect(), guarded, std::string(43, 'a'));
  CHECK(other_cli.status == 401);
  CHECK(reason_of(other_cli) == "verifier");
  CHECK(exchange(tailnet.connect(), guarded).status == 401);  // one try

  const std::string alices = alices_code(tailnet, token);
  const Answer stolen = exchange(tailnet.connect_as(bob()), alices);
  CHECK(stolen.status == 403);
  CHECK(reason_of(stolen) == "identity");
  CHECK(exchange(tailnet.connect(), alices).status == 401);

  const std::string in_time = alices_code(tailnet, token);
  tailnet.daemon->advance(59'000);
  CHECK(exchange(tailnet.connect(), in_time).status == 200);
  const std::string late = alices_code(tailnet, token);
  tailnet.daemon->advance(60'000);
  const Answer expired = exchange(tailnet.connect(), late);
  CHECK(expired.status == 401);
  CHECK(reason_of(expired) == "expired");
  CHECK(tailnet.stored("SELECT count(*) FROM sessions") == 3);
}

TEST_CASE("only who is signed in gets a code, and only for a challenge") {
  TailnetDaemon tailnet;
  CHECK(ask(tailnet.connect(), request("POST", "/api/auth/code", kAskForCode)).status == 401);
  const std::string token = tailnet.token();
  for (const std::string_view body : {"{}", R"({"challenge":"short"})", R"({"challenge":1})",
                                      R"({"challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"})"}) {
    CAPTURE(body);
    CHECK(ask(tailnet.connect(), request("POST", "/api/auth/code", body, bearer(token))).status == 400);
  }
}

TEST_CASE("the host's own token is for loopback, is the owner's, and operates") {
  RunningDaemon daemon;
  const std::string token = local_token(daemon);
  Client client = daemon.tcp();
  client.send(request("GET", "/api/auth/me", {}, bearer(token)));
  const Json me = TailnetDaemon::data_of(client.read_answer());
  CHECK(me.at("session").at("binding") == "local");
  CHECK(me.at("roles") == Json::array({"user", "operator"}));
  client.send(request("GET", "/api/deployments", {}, bearer(token)));
  CHECK(client.read_answer().status == 200);
}

TEST_CASE("a code of the socket can be exchanged by a browser on the host") {
  RunningDaemon daemon;
  const Json data = TailnetDaemon::data_of(ask(daemon.unix_socket(), request("POST", "/api/auth/code", kAskForCode)));
  CHECK(data.at("url") == std::format("http://127.0.0.1:{}", daemon.port()));
  Client browser = daemon.tcp();
  browser.send(request("POST", "/api/auth/exchange", exchange_body(data.at("code").get<std::string>()),
                       "Sec-Fetch-Site: same-origin\r\n"));
  const std::string token = TailnetDaemon::data_of(browser.read_answer()).at("token");
  browser.send(request("GET", "/api/auth/sessions", {}, bearer(token)));
  CHECK(TailnetDaemon::data_of(browser.read_answer()).at("sessions").at(0).at("client") == "web");
}

TEST_CASE("a token or a code of the host is worth nothing to whom tailscaled brings over loopback") {
  TailnetDaemon tailnet;
  const std::string token = local_token(*tailnet.daemon);
  const Answer refused = ask(tailnet.connect(), request("GET", "/api/secrets", {}, bearer(token)));
  CHECK(refused.status == 401);
  const std::string code =
      code_of_answer(ask(tailnet.daemon->unix_socket(), request("POST", "/api/auth/code", kAskForCode)));
  const Answer stolen = exchange(tailnet.connect(), code);
  CHECK(stolen.status == 403);
  CHECK(reason_of(stolen) == "identity");
}

TEST_CASE("on the host itself a tailnet token is nobody's") {
  DaemonSettings settings;
  std::string token;
  {
    TailnetDaemon tailnet(settings);
    token = tailnet.token();
  }
  // The same state, with a tailscaled that has a network device: loopback is the host.
  RunningDaemon daemon(settings);
  const Answer refused = ask(daemon.tcp(), request("GET", "/api/secrets", {}, bearer(token)));
  CHECK(refused.status == 401);
  CHECK(TailnetDaemon::code_of(refused) == "invalid_token");
}

TEST_CASE("the socket has no session: it is told so, and has nothing to log out of") {
  RunningDaemon daemon;
  const Json me = TailnetDaemon::data_of(ask(daemon.unix_socket(), request("GET", "/api/auth/me")));
  CHECK(me.at("session").is_null());
  CHECK(me.at("roles") == Json::array({"user", "operator"}));
  CHECK(ask(daemon.unix_socket(), request("POST", "/api/auth/logout")).status == 400);
}

}  // namespace leger::test
