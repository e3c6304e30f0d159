// What one peer or one identity may ask of legerd over TCP, and that the others and the Unix socket do not notice.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

DaemonSettings limited(const Limits& limits) {
  DaemonSettings settings;
  settings.limits = limits;
  return settings;
}

}  // namespace

TEST_CASE("a sign-in too many waits its time, and is told how long") {
  TailnetDaemon tailnet(limited({.requests_per_second = 0, .sign_ins_per_minute = 3}));
  for (int i = 0; i < 3; ++i) {
    CHECK(ask(tailnet.connect(), request("POST", "/api/auth/cli", R"({"user_id":"102"})")).status == 403);
  }
  for (const std::string_view path : {"/api/auth/cli", "/auth/cli", "/api/auth/web", "/api/auth/exchange"}) {
    const Answer refused = ask(tailnet.connect(), request("POST", path, "{}"));
    CHECK(refused.status == 429);
    CHECK(refused.has("Retry-After: 20"));
    CHECK(TailnetDaemon::code_of(refused) == "rate_limit_exceeded");
  }
  tailnet.daemon->advance(20'000);
  CHECK(ask(tailnet.connect(), request("POST", "/api/auth/web", "{}")).status == 200);
}

TEST_CASE("a flood of one identity is refused, another identity and the socket are served") {
  TailnetDaemon tailnet(limited({.requests_per_second = 10, .request_burst = 10, .sign_ins_per_minute = 0}));
  const std::string alice = tailnet.token();
  Client bobs = tailnet.connect_as(bob());
  const std::string token = tailnet.token_on(bobs);
  Client flood = tailnet.connect();
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    flood.send(request("GET", "/api/secrets", {}, bearer(alice)));
    const Answer answer = flood.read_answer();
    refused += answer.status == 429 ? 1 : 0;
    CHECK((answer.status == 200 || answer.status == 429));
    if (answer.status == 429) CHECK(answer.has("Retry-After: 1"));
  }
  CHECK(refused >= 40);
  bobs.send(request("GET", "/api/secrets", {}, bearer(token)));
  CHECK(bobs.read_answer().status == 200);
  Client socket = tailnet.daemon->unix_socket();
  for (int i = 0; i < 60; ++i) {
    socket.send(request("GET", "/api/secrets"));
    CHECK(socket.read_answer().status == 200);
  }
  tailnet.daemon->advance(1'000);
  flood.send(request("GET", "/api/secrets", {}, bearer(alice)));
  CHECK(flood.read_answer().status == 200);
}

TEST_CASE("uploads have a limit of their own") {
  TailnetDaemon tailnet(limited({.requests_per_second = 0, .sign_ins_per_minute = 0, .uploads_per_minute = 2}));
  const std::string token = tailnet.token();
  const auto upload = [&] {
    return ask(tailnet.connect(),
               request("POST", "/api/releases", "x", "Content-Type: application/gzip\r\n" + bearer(token)))
        .status;
  };
  CHECK(upload() == 400);
  CHECK(upload() == 400);
  CHECK(upload() == 429);
  CHECK(ask(tailnet.daemon->unix_socket(), request("POST", "/api/releases", "x", "Content-Type: application/gzip\r\n"))
            .status == 400);
}

TEST_CASE("one peer has so many connections, and gets one again when it closes one") {
  RunningDaemon daemon(limited({.requests_per_second = 0, .connections_per_peer = 3}));
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(daemon.tcp());
    clients.back().send(request("GET", "/health"));
    CHECK(clients.back().read_answer().status == 200);
  }
  Client fourth = daemon.tcp();
  CHECK(fourth.read_to_end().empty());
  CHECK(ask(daemon.unix_socket(), request("GET", "/health")).status == 200);
  clients.pop_back();
  daemon.settle();
  CHECK(ask(daemon.tcp(), request("GET", "/health")).status == 200);
}

}  // namespace leger::test
