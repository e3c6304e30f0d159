// The times of threats T25 on the running daemon, at one millisecond below, at, and above each.

#include <doctest/doctest.h>

#include <format>

#include "daemon/http_session.h"
#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::uint64_t kHead = 10'000;
constexpr std::uint64_t kSilence = 60'000;

std::string timeout(const RunningDaemon& daemon, std::string_view dialect_path = "/") {
  const bool cli = dialect_path.starts_with("/secrets");
  const std::string_view body =
      cli ? R"({"success":false,"error":"request_timeout","message":"The request took too long to arrive."})"
          : R"({"success":false,"error":{"code":"request_timeout","message":"The request took too long to arrive."}})";
  return daemon.answer("408 Request Timeout", body, "Connection: close\r\n");
}

std::string upload_head(std::size_t size) {
  return std::format(
      "PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", size);
}

// One answered request, so that the next one is a later one.
Client used_connection(RunningDaemon& daemon) {
  Client client = daemon.tcp();
  client.send(request("GET", "/health"));
  REQUIRE(client.read_answer().status == 200);
  return client;
}

}  // namespace

TEST_CASE("a silent connection is closed without a byte 10 s after it was accepted") {
  RunningDaemon daemon;
  Client tcp = daemon.tcp();
  Client local = daemon.unix_socket();
  daemon.advance(kHead - 1);
  CHECK(tcp.is_quiet());
  CHECK(local.is_quiet());
  daemon.advance(1);
  CHECK(tcp.is_cut());
  CHECK(local.is_cut());
  CHECK(tcp.read_to_end().empty());
  CHECK(local.read_to_end().empty());
  Client later = daemon.tcp();
  daemon.advance(kHead + 1);
  CHECK(later.read_to_end().empty());
}

TEST_CASE("a head that is not whole 10 s after the connection was accepted is answered with 408") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  daemon.advance(5'000);
  client.send("GET /health HTTP/1.1\r\n");
  daemon.advance(4'999);
  client.send("Host: h\r\n");
  CHECK(client.is_quiet());
  daemon.advance(1);
  CHECK(client.read_to_end() == timeout(daemon));
  CHECK_FALSE(client.reset_seen());
}

TEST_CASE("a head that is whole in the last millisecond is answered") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  const std::string head = request("GET", "/health");
  client.send(head.substr(0, 20));
  daemon.advance(kHead - 1);
  client.send(head.substr(20));
  CHECK(client.read_answer().status == 200);
}

TEST_CASE("a byte a second does not keep a head alive") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  const std::string head = request("GET", "/health");
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(client.is_quiet());
    client.send(head.substr(i, 1));
    daemon.advance(1'000);
  }
  CHECK(client.read_to_end() == timeout(daemon));
}

TEST_CASE("a used connection is closed after 60 s of silence, without a byte") {
  RunningDaemon daemon;
  Client client = used_connection(daemon);
  daemon.advance(kSilence - 1);
  CHECK(client.is_quiet());
  daemon.advance(1);
  CHECK(client.is_cut());
  CHECK(client.read_to_end().empty());
  Client later = used_connection(daemon);
  daemon.advance(kSilence + 1);
  CHECK(later.read_to_end().empty());
}

TEST_CASE("the silence is counted from the last answer") {
  RunningDaemon daemon;
  Client client = used_connection(daemon);
  daemon.advance(kSilence - 1);
  client.send(request("GET", "/health"));
  REQUIRE(client.read_answer().status == 200);
  daemon.advance(kSilence - 1);
  CHECK(client.is_quiet());
  daemon.advance(1);
  CHECK(client.read_to_end().empty());
}

TEST_CASE("a later head has 10 s from its first byte") {
  RunningDaemon daemon;
  Client client = used_connection(daemon);
  daemon.advance(kSilence - 1);
  client.send("G");
  daemon.advance(kHead - 1);
  CHECK(client.is_quiet());
  SUBCASE("and is refused when they are over") {
    daemon.advance(1);
    CHECK(client.read_to_end() == timeout(daemon));
  }
  SUBCASE("and is answered within them") {
    client.send(request("GET", "/health").substr(1));
    CHECK(client.read_answer().status == 200);
  }
}

TEST_CASE("a head that begins behind another request has 10 s from that one's answer") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  client.send(request("GET", "/health") + "GET");
  REQUIRE(client.read_answer().status == 200);
  daemon.advance(kHead - 1);
  CHECK(client.is_quiet());
  daemon.advance(1);
  CHECK(client.read_to_end() == timeout(daemon));
}

TEST_CASE("a body that does not come is refused after 10 s") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(upload_head(100'000));
  daemon.advance(9'999);
  CHECK(client.is_quiet());
  daemon.advance(1);
  CHECK(client.read_to_end() == timeout(daemon));
}

TEST_CASE("after 10 s a body has to have come at 1 KiB a second") {
  for (const std::size_t kib : {1, 7, 50}) {
    CAPTURE(kib);
    RunningDaemon daemon;
    Client client = daemon.unix_socket();
    client.send(upload_head(100'000) + std::string(kib * 1024, ' '));
    daemon.advance(10'000 + kib * 1000 - 1);
    CHECK(client.is_quiet());
    daemon.advance(1);
    CHECK(client.read_to_end() == timeout(daemon));
  }
}

TEST_CASE("a body of exactly 1 KiB a second is taken, one of a byte less a second is not") {
  for (const std::size_t rate : {1023, 1024, 1025}) {
    CAPTURE(rate);
    RunningDaemon daemon;
    Client client = daemon.unix_socket();
    const std::string_view json = R"({"value":"v"})";
    client.send(upload_head(json.size() + 1000 * rate));
    client.send(json);
    daemon.advance(9'999);
    int second = 0;
    // Without the grace's bytes it is on the edge in each second.
    for (; second < 1000 && client.is_quiet(); ++second) {
      client.send_what_goes(std::string(rate, ' '));
      daemon.advance(1'000);
    }
    CHECK((client.read_answer().status == 408) == (rate < 1024));
  }
}

TEST_CASE("a body has 90 s from one byte to the next, however fast it was before") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(upload_head(1'000'000) + std::string(500'000, ' '));
  daemon.advance(89'999);
  CHECK(client.is_quiet());
  SUBCASE("and is refused when they are over") {
    daemon.advance(1);
    CHECK(client.read_to_end() == timeout(daemon));
  }
  SUBCASE("and goes on with any byte") {
    client.send(" ");
    daemon.advance(89'999);
    CHECK(client.is_quiet());
    daemon.advance(1);
    CHECK(client.read_to_end() == timeout(daemon));
  }
}

TEST_CASE("a stranger's body and a chunked body have the same times") {
  RunningDaemon daemon;
  Client stranger = daemon.tcp();
  stranger.send("GET /health HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n");
  Client chunked = daemon.unix_socket();
  chunked.send(
      "POST /secrets/set HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5;a=");
  Client bundle = daemon.unix_socket();
  bundle.send(
      "POST /api/releases HTTP/1.1\r\nHost: h\r\nContent-Type: application/gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
  daemon.advance(9'999);
  CHECK(stranger.is_quiet());
  CHECK(chunked.is_quiet());
  CHECK(bundle.is_quiet());
  daemon.advance(1);
  CHECK(stranger.read_to_end() == timeout(daemon));
  CHECK(chunked.read_to_end() == timeout(daemon, "/secrets"));
  CHECK(bundle.read_to_end() == timeout(daemon));
}

TEST_CASE("an early refusal reads on for 1 s") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send("PATCH /api/secrets HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  CHECK(client.read_answer().status == 405);
  CHECK(client.read_to_end().empty());
  daemon.advance(999);
  CHECK(client.send_what_goes("more") == 4);
  daemon.advance(1);
  CHECK(client.send_what_goes("more") == 0);
}

TEST_CASE("a client that is still sending gets to read the whole refusal") {
  RunningDaemon daemon;
  const std::string body(std::size_t{8} << 20, 'x');
  Client stranger = daemon.tcp();
  stranger.send(request("PUT", "/api/secrets/a", body));
  CHECK(
      stranger.read_to_end() ==
      daemon.answer(
          "401 Unauthorized",
          R"({"success":false,"error":{"code":"invalid_token","message":"This needs a sign-in.","action":)"
          R"("Sign in: leger auth login. On the host itself the Unix socket needs none: run leger without --server."}})",
          "WWW-Authenticate: Bearer\r\nConnection: close\r\n"));
  CHECK_FALSE(stranger.reset_seen());
  Client owner = daemon.unix_socket();
  owner.send(request("PUT", "/api/secrets/a", body));
  CHECK(owner.read_to_end() ==
        daemon.answer(
            "413 Content Too Large",
            R"({"success":false,"error":{"code":"body_too_large","message":"The body is larger than 1048576 bytes."}})",
            "Connection: close\r\n"));
}

TEST_CASE("a thousand silent connections are gone after 10 s") {
  raise_descriptor_limit();
  RunningDaemon daemon;
  std::vector<Client> clients;
  clients.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(daemon.tcp());
    daemon.settle();  // since 1.45 libuv accepts one connection a turn, and its time counts from there
  }
  daemon.advance(kHead - 1);
  for (Client& client : clients) CHECK(client.is_quiet());
  daemon.advance(1);
  for (const Client& client : clients) CHECK(client.is_cut());
  CHECK(ask(daemon.tcp(), request("GET", "/health")).status == 200);
}

}  // namespace leger::test
