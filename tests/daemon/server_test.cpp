// How many connections there may be, threats T26, and how the daemon ends, on the running daemon.

#include <doctest/doctest.h>

#include <vector>

#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::uint64_t kGrace = 10'000;

// Connections that have been served once and stay.
std::vector<Client> served(std::size_t count, const std::function<Client()>& connect, std::string_view path) {
  std::vector<Client> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(connect());
    clients.back().send(request("GET", path));
    REQUIRE(clients.back().read_answer().status == 200);
  }
  return clients;
}

}  // namespace

TEST_CASE("there are as many TCP connections as the configuration allows, at least 16") {
  for (const std::uint32_t configured : {1U, 15U, 16U, 17U, 20U}) {
    const std::size_t most = std::max(configured, 16U);
    CAPTURE(configured);
    RunningDaemon daemon({.limits = limited_to(configured)});
    std::vector<Client> clients = served(most - 1, [&] { return daemon.tcp(); }, "/health");
    Client last = daemon.tcp();
    last.send(request("GET", "/health"));
    CHECK(last.read_answer().status == 200);
    Client waiting = daemon.tcp();
    waiting.send(request("GET", "/health"));
    daemon.settle();
    CHECK(waiting.is_quiet());
    CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets")).status == 200);
    clients.pop_back();
    CHECK(waiting.read_answer().status == 200);
    Client next = daemon.tcp();
    next.send(request("GET", "/health"));
    daemon.settle();
    CHECK(next.is_quiet());
  }
}

TEST_CASE("the Unix socket has 64 connections of its own") {
  RunningDaemon daemon({.limits = limited_to(16)});
  const std::vector<Client> tcp = served(16, [&] { return daemon.tcp(); }, "/health");
  std::vector<Client> clients = served(64, [&] { return daemon.unix_socket(); }, "/api/secrets");
  Client waiting = daemon.unix_socket();
  waiting.send(request("GET", "/api/secrets"));
  daemon.settle();
  CHECK(waiting.is_quiet());
  clients.pop_back();
  CHECK(waiting.read_answer().status == 200);
}

TEST_CASE("connections that wait are served when the silent ones run out of time") {
  RunningDaemon daemon({.limits = limited_to(16)});
  std::vector<Client> silent;
  for (int i = 0; i < 16; ++i) silent.push_back(daemon.tcp());
  daemon.settle();
  std::vector<Client> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(daemon.tcp());
    waiting.back().send(request("GET", "/health", {}, "Connection: close\r\n"));
  }
  daemon.settle();
  CHECK(waiting.front().is_quiet());
  daemon.advance(10'000);
  for (Client& client : waiting) {
    Client served_one = std::move(client);  // and leaves its place to the next
    CHECK(served_one.read_answer().status == 200);
  }
}

TEST_CASE("an end closes idle connections at once, and lets in nobody") {
  RunningDaemon daemon;
  Client used = std::move(served(1, [&] { return daemon.tcp(); }, "/health").front());
  Client fresh = daemon.unix_socket();
  Client busy = daemon.unix_socket();
  busy.send("PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n");
  daemon.settle();
  daemon.begin_stop();
  CHECK(used.read_to_end().empty());
  CHECK(fresh.read_to_end().empty());
  CHECK_FALSE(busy.is_cut());
  CHECK_THROWS_AS(static_cast<void>(daemon.tcp()), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(daemon.unix_socket()), std::runtime_error);
  busy.send(R"({"value":"v"})" + request("GET", "/api/secrets"));
  const Answer answer = busy.read_answer();
  CHECK(answer.status == 201);
  CHECK(answer.has("Connection: close"));
  CHECK(busy.read_to_end().empty());
  daemon.stop();
}

TEST_CASE("an end waits 10 s for requests in flight") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(
      "PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" +
      std::string(50'000, ' '));
  daemon.settle();
  daemon.begin_stop();
  daemon.advance(kGrace - 1);
  CHECK_FALSE(client.is_cut());
  daemon.advance(1);
  CHECK(client.is_cut());
  daemon.stop();
  CHECK(client.read_to_end().empty());
}

TEST_CASE("what was set is there after a restart") {
  const DaemonSettings settings;
  {
    RunningDaemon daemon(settings);
    CHECK(ask(daemon.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"kept"})")).status == 201);
  }
  RunningDaemon again(settings);
  CHECK(ask(again.unix_socket(), request("GET", "/api/secrets/a")).body.contains("kept"));
}

TEST_CASE("a second daemon on the same folder does not start") {
  const DaemonSettings settings;
  RunningDaemon daemon(settings);
  CHECK_THROWS_WITH_AS(RunningDaemon second(settings), doctest::Contains("another legerd runs on the folder"),
                       std::runtime_error);
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets")).status == 200);
}

}  // namespace leger::test
