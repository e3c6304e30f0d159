// Tokens on connections: good for whom they were given to, until they end.

#include <doctest/doctest.h>

#include <string>

#include "daemon/router.h"
#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

constexpr std::uint64_t kDayMs = 24ULL * 3600 * 1000;

int status_of_list(Client client, std::string_view token) {
  client.send(request("GET", "/api/secrets", {}, bearer(token)));
  return client.read_answer().status;
}

}  // namespace

TEST_CASE("a token serves its owner on any connection of theirs, and nobody else") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  CHECK(status_of_list(tailnet.connect(), token) == 200);
  CHECK(status_of_list(tailnet.connect(), "leg_" + token) == 200);
  Client thief = tailnet.connect_as(bob());
  thief.send(request("GET", "/api/secrets", {}, bearer(token)));
  const Answer refused = thief.read_answer();
  CHECK(refused.status == 401);
  CHECK(TailnetDaemon::code_of(refused) == "invalid_token");
  CHECK(refused.has("WWW-Authenticate: Bearer"));
  CHECK(status_of_list(tailnet.connect_as({.tags = {"tag:ci"}}), token) == 401);
  CHECK(status_of_list(tailnet.connect_as({.stable_id = "nCupboardCNTRL"}), token) == 401);  // as this node itself
}

TEST_CASE("what is not a token of ours is refused") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  for (const std::string& line :
       {std::string(), "Authorization: " + token + "\r\n", std::string("Authorization: Bearer\r\n"),
        std::string("Authorization: Bearer \r\n"), "Authorization: Basic " + token + "\r\n", bearer(token + "A"),
        bearer(token.substr(1)), bearer(token + "." + token), bearer(std::string(5000, 'x')),
        "Authorization: Bearer " + token + ", Bearer " + token + "\r\n"}) {
    CAPTURE(line);
    const Answer answer = ask(tailnet.connect(), request("GET", "/api/secrets", {}, line));
    CHECK(answer.status == 401);
    CHECK_FALSE(answer.body.contains(token));
  }
}

TEST_CASE("the scheme's case and blanks before the token do not matter") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  CHECK(
      ask(tailnet.connect(), request("GET", "/api/secrets", {}, "authorization: bEARER   " + token + "\r\n")).status ==
      200);
}

TEST_CASE("two tokens on one connection are each their own") {
  TailnetDaemon tailnet;
  const std::string first = tailnet.token();
  const std::string second = tailnet.token();
  Client client = tailnet.connect();
  for (const std::string* token : {&first, &second, &first}) {
    client.send(request("GET", "/api/auth/me", {}, bearer(*token)));
    CHECK(client.read_answer().status == 200);
  }
  client.send(request("POST", "/api/auth/logout", {}, bearer(first)));
  CHECK(client.read_answer().status == 200);
  client.send(request("GET", "/api/secrets", {}, bearer(second)));
  CHECK(client.read_answer().status == 200);
  client.send(request("GET", "/api/secrets", {}, bearer(first)));
  CHECK(client.read_answer().status == 401);
}

TEST_CASE("a session that was logged out or revoked ends at once, on open connections too") {
  TailnetDaemon tailnet;
  const std::string kept = tailnet.token();
  const std::string lost = tailnet.token();
  Client open = tailnet.connect();
  open.send(request("GET", "/api/auth/me", {}, bearer(lost)));
  const Json me = TailnetDaemon::data_of(open.read_answer());
  Client other = tailnet.connect();
  other.send(request("GET", "/api/auth/sessions", {}, bearer(kept)));
  const Json sessions = TailnetDaemon::data_of(other.read_answer()).at("sessions");
  REQUIRE(sessions.size() == 2);
  const std::string id = me.at("session").at("id");
  int current = 0;
  for (const Json& session : sessions) {
    current += session.at("current") == true ? 1 : 0;
    CHECK((session.at("id") == id) == (session.at("current") == false));
    CHECK(session.at("binding") == "tailnet:101");
    CHECK(session.at("hostname") == "laptop");
    CHECK(session.at("client") == "web");
  }
  CHECK(current == 1);
  other.send(request("DELETE", "/api/auth/sessions/" + id, {}, bearer(kept)));
  CHECK(other.read_answer().status == 200);
  open.send(request("GET", "/api/auth/me", {}, bearer(lost)));
  CHECK(open.read_answer().status == 401);
  other.send(request("GET", "/api/auth/me", {}, bearer(kept)));
  CHECK(other.read_answer().status == 200);
  other.send(request("DELETE", "/api/auth/sessions/" + id, {}, bearer(kept)));
  CHECK(other.read_answer().status == 404);
  CHECK(tailnet.stored("SELECT count(*) FROM sessions") == 1);
}

TEST_CASE("another user's session can be neither seen nor ended") {
  TailnetDaemon tailnet;
  const std::string alice = tailnet.token();
  Client client = tailnet.connect();
  client.send(request("GET", "/api/auth/me", {}, bearer(alice)));
  const std::string id = TailnetDaemon::data_of(client.read_answer()).at("session").at("id");
  Client other = tailnet.connect_as(bob());
  const std::string token = tailnet.token_on(other);
  other.send(request("GET", "/api/auth/sessions", {}, bearer(token)));
  CHECK_FALSE(other.read_answer().body.contains(id));
  other.send(request("DELETE", "/api/auth/sessions/" + id, {}, bearer(token)));
  CHECK(other.read_answer().status == 404);
  CHECK(status_of_list(tailnet.connect(), alice) == 200);
}

TEST_CASE("a token is good for thirty days and survives a restart") {
  DaemonSettings settings;
  std::string token;
  {
    TailnetDaemon tailnet(settings);
    token = tailnet.token();
  }
  TailnetDaemon tailnet(settings);
  CHECK(status_of_list(tailnet.connect(), token) == 200);
  tailnet.daemon->advance(30 * kDayMs - 60'000);
  CHECK(status_of_list(tailnet.connect(), token) == 200);
  tailnet.daemon->advance(60'000);
  const Answer expired = ask(tailnet.connect(), request("GET", "/api/secrets", {}, bearer(token)));
  CHECK(expired.status == 401);
  CHECK(expired.body.contains("expired"));
}

TEST_CASE("whose connection it is, is asked once in half a minute") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  Client client = tailnet.connect();
  const auto ask_again = [&] {
    client.send(request("GET", "/api/secrets", {}, bearer(token)));
    return client.read_answer().status;
  };
  CHECK(ask_again() == 200);
  const std::size_t asked = tailnet.asked_about_peers();
  for (int i = 0; i < 20; ++i) CHECK(ask_again() == 200);
  tailnet.daemon->advance(29'000);
  CHECK(ask_again() == 200);
  CHECK(tailnet.asked_about_peers() == asked);
  tailnet.daemon->advance(1'001);
  CHECK(ask_again() == 200);
  CHECK(tailnet.asked_about_peers() == asked + 1);
  tailnet.tailscaled.set_default_whois(whois_answer(bob()));
  tailnet.daemon->advance(30'001);
  CHECK(ask_again() == 401);
}

TEST_CASE("while tailscaled is away a proven connection goes on for a minute, others get 503") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  Client client = tailnet.connect();
  const auto ask_again = [&] {
    client.send(request("GET", "/api/secrets", {}, bearer(token)));
    return client.read_answer().status;
  };
  CHECK(ask_again() == 200);
  tailnet.tailscaled.set_fault(FakeTailscaled::Fault::close);
  tailnet.daemon->advance(31'000);
  CHECK(ask_again() == 200);
  CHECK(status_of_list(tailnet.connect(), token) == 503);
  tailnet.daemon->advance(28'000);
  CHECK(ask_again() == 200);
  tailnet.daemon->advance(2'000);
  CHECK(ask_again() == 503);
  tailnet.tailscaled.set_fault(FakeTailscaled::Fault::none);
  tailnet.daemon->advance(6'000);
  CHECK(ask_again() == 200);
}

TEST_CASE("every route for operators refuses a user, and lets the capability's role in while it lasts") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  std::size_t routes_for_operators = 0;
  for (const Route& route : routes()) {
    if (route.scope != Scope::op) continue;
    ++routes_for_operators;
    const std::string_view method = route.method == Method::get    ? "GET"
                                    : route.method == Method::post ? "POST"
                                                                   : "DELETE";
    const std::string path(route.pattern);
    CAPTURE(path);
    tailnet.tailscaled.set_default_whois(whois_answer());
    const Answer refused = ask(tailnet.connect(), request(method, path, {}, bearer(token)));
    CHECK(refused.status == 403);
    CHECK(TailnetDaemon::code_of(refused) == "insufficient_permissions");
    tailnet.tailscaled.set_default_whois(whois_answer({.roles = {"operator"}}));
    CHECK(ask(tailnet.connect(), request(method, path, {}, bearer(token))).status != 403);
  }
  CHECK(routes_for_operators >= 5);
  tailnet.tailscaled.set_default_whois(whois_answer());
  CHECK(ask(tailnet.connect(), request("GET", "/api/deployments", {}, bearer(token))).status == 403);
}

TEST_CASE("whom the configuration lists is an operator") {
  DaemonSettings settings;
  settings.change = [](Config& config) { config.operators = {101}; };
  TailnetDaemon tailnet(settings);
  CHECK(ask(tailnet.connect(), request("GET", "/api/deployments", {}, bearer(tailnet.token()))).status == 200);
}

}  // namespace leger::test
