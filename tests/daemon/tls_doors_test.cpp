// HTTPS on the running daemon: which handshakes are taken, and that what goes through is what goes through plainly.

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/daemon/legerd_process.h"
#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"

namespace leger::test {
namespace {

constexpr std::string_view kHttp11 = "\x08http/1.1";
constexpr std::string_view kHttp2 = "\x02h2";

TlsClient connected(const RunningDaemon& daemon, const TlsWish& wish = {}) {
  TlsClient client(daemon.tcp(), wish);
  REQUIRE(client.shake_hands());
  return client;
}

// Whether the daemon takes such a client.
bool takes(const RunningDaemon& daemon, const TlsWish& wish) { return TlsClient(daemon.tcp(), wish).shake_hands(); }

}  // namespace

TEST_CASE("TLS 1.3 and 1.2 serve what a plain connection serves") {
  RunningDaemon daemon(with_tls());
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    CAPTURE(version);
    TlsClient client = connected(daemon, {.most_version = version});
    CHECK(client.version() == version);
    CHECK(client.serial() == 1);
    client.send(request("GET", "/health"));
    const Answer answer = client.read_answer();
    CHECK(answer.status == 200);
    CHECK(answer.whole() == daemon.answer("200 OK", answer.body));
    client.send(request("GET", "/api/secrets"));
    CHECK(client.read_answer().status == 401);
  }
}

TEST_CASE("the Unix socket stays plain") {
  RunningDaemon daemon(with_tls());
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets")).status == 200);
}

TEST_CASE("older versions than TLS 1.2 are refused") {
  RunningDaemon daemon(with_tls());
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    TlsClient client(daemon.tcp(), {.least_version = version, .most_version = version});
    CHECK_FALSE(client.shake_hands());
    CHECK(client.why().contains("protocol version"));
  }
}

TEST_CASE("only AEAD suites with forward secrecy are taken") {
  const DaemonSettings of_curve = with_tls();
  const DaemonSettings of_rsa = with_tls(make_pair({.rsa_bits = 2048}));
  RunningDaemon curve(of_curve);
  RunningDaemon rsa(of_rsa);
  const auto with = [](std::string_view suite) {
    return TlsWish{.most_version = TLS1_2_VERSION, .ciphers = std::string(suite)};
  };
  for (const std::string_view suite : {"AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"}) {
    CAPTURE(suite);
    CHECK(takes(curve, with("ECDHE-ECDSA-" + std::string(suite))));
    CHECK(takes(rsa, with("ECDHE-RSA-" + std::string(suite))));
  }
  for (const std::string_view suite : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-CCM",
                                       "ECDHE-ECDSA-NULL-SHA", "AECDH-AES128-SHA"}) {
    CAPTURE(suite);
    CHECK_FALSE(takes(curve, with(suite)));
  }
  for (const std::string_view suite : {"AES128-GCM-SHA256", "AES256-SHA", "DHE-RSA-AES128-GCM-SHA256",
                                       "ECDHE-RSA-AES128-SHA256", "ADH-AES128-GCM-SHA256"}) {
    CAPTURE(suite);
    CHECK_FALSE(takes(rsa, with(suite)));
  }
}

TEST_CASE("the protocol is HTTP/1.1, or left open by the client") {
  RunningDaemon daemon(with_tls());
  CHECK(connected(daemon).protocol().empty());
  CHECK(connected(daemon, {.protocols = std::string(kHttp11)}).protocol() == "http/1.1");
  CHECK(connected(daemon, {.protocols = std::string(kHttp2) + std::string(kHttp11)}).protocol() == "http/1.1");
  TlsClient other(daemon.tcp(), {.protocols = std::string(kHttp2)});
  CHECK_FALSE(other.shake_hands());
  CHECK(other.why().contains("no application protocol"));
}

TEST_CASE("a client that comes back need not pay for a whole handshake, until the ticket keys change") {
  RunningDaemon daemon(with_tls());
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    CAPTURE(version);
    TlsClient first = connected(daemon, {.most_version = version});
    first.send(request("GET", "/health"));
    REQUIRE(first.read_answer().status == 200);
    CHECK_FALSE(first.was_resumed());
    const TlsWish again{.most_version = version, .session = first.session()};
    TlsClient second = connected(daemon, again);
    CHECK(second.was_resumed());
    second.send(request("GET", "/health"));
    CHECK(second.read_answer().status == 200);
    daemon.advance(12ULL * 3'600'000);
    TlsClient third = connected(daemon, again);
    CHECK_FALSE(third.was_resumed());
    third.send(request("GET", "/health"));
    CHECK(third.read_answer().status == 200);
  }
}

TEST_CASE("a TLS connection is kept, pipelines, and knows HEAD") {
  RunningDaemon daemon(with_tls());
  TlsClient client = connected(daemon);
  for (int round = 0; round < 3; ++round) {
    client.send(request("GET", "/health") + request("HEAD", "/health") + request("GET", "/api/secrets"));
    const Answer first = client.read_answer();
    CHECK(first.status == 200);
    CHECK(client.read_answer(Client::Body::none).head == first.head);
    CHECK(client.read_answer().status == 401);
  }
  std::string packet;
  for (int i = 0; i < 500; ++i) packet += request("GET", "/health");
  client.send(packet);
  for (int i = 0; i < 500; ++i) CHECK(client.read_answer().status == 200);
}

TEST_CASE("records that come byte by byte are put together") {
  RunningDaemon daemon(with_tls());
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    TlsClient client(daemon.tcp(), {.most_version = version});
    client.send_bytewise();
    REQUIRE(client.shake_hands());
    client.send(request("GET", "/health") + request("GET", "/health"));
    CHECK(client.read_answer().status == 200);
    CHECK(client.read_answer().status == 200);
  }
  TlsClient client = connected(daemon);
  for (const char byte : client.seal(request("GET", "/health"))) {
    client.raw().send(std::string(1, byte));
    daemon.settle();
  }
  CHECK(client.read_answer().status == 200);
}

TEST_CASE("the end of a connection is said by close_notify, whoever ends it") {
  RunningDaemon daemon(with_tls());
  SUBCASE("the daemon, after an answer") {
    TlsClient client = connected(daemon);
    client.send(request("GET", "/health", {}, "Connection: close\r\n"));
    CHECK(client.read_answer().status == 200);
    CHECK(client.read_to_end().empty());
    CHECK(client.end_was_said());
    CHECK_FALSE(client.raw().reset_seen());
  }
  SUBCASE("the daemon, after an early refusal") {
    TlsClient client = connected(daemon);
    client.send("POST /health HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n\r\n");
    client.send(std::string(100'000, ' '));
    CHECK(client.read_answer().status >= 400);
    CHECK(client.read_to_end().empty());
    CHECK(client.end_was_said());
  }
  SUBCASE("the daemon, when it is idle and stopped") {
    TlsClient client = connected(daemon);
    client.send(request("GET", "/health"));
    CHECK(client.read_answer().status == 200);
    daemon.begin_stop();
    CHECK(client.read_to_end().empty());
    CHECK(client.end_was_said());
  }
  SUBCASE("the client, which still gets its answer") {
    TlsClient client = connected(daemon);
    client.send(request("GET", "/health"));
    client.end_sending();
    CHECK(client.read_to_end().starts_with("HTTP/1.1 200 OK"));
    CHECK(client.end_was_said());
  }
  SUBCASE("the client, at once") {
    TlsClient client = connected(daemon);
    client.end_sending();
    CHECK(client.read_to_end().empty());
    CHECK(client.end_was_said());
  }
}

TEST_CASE("legerd with a pair that does not load does not start, and says why") {
  const auto home = std::make_shared<TemporaryFolder>();
  put_pair(*home, make_pair(), 0644);
  put_file(*home / "legerd.toml", "[tls]\ncert = \"" + *home / "tls.crt" + "\"\nkey = \"" + *home / "tls.key" + "\"\n");
  LegerdProcess legerd({.arguments = {"--config", *home / "legerd.toml"}, .home = home});
  CHECK(legerd.wait() == 1);
  CHECK(legerd.output().contains("tls.key is a private key that others may read or change."));
  CHECK(legerd.output().contains("chmod 600"));
}

TEST_CASE("with TLS legerd may listen on any address") {
  const auto home = std::make_shared<TemporaryFolder>();
  put_pair(*home, make_pair());
  put_file(*home / "legerd.toml", "hosts = [\"localhost:443\"]\n[tls]\ncert = \"" + *home / "tls.crt" + "\"\nkey = \"" +
                                      *home / "tls.key" + "\"\n");
  const std::uint16_t port = free_port();
  LegerdProcess legerd(
      {.arguments = {"--config", *home / "legerd.toml", "--listen", "0.0.0.0:" + std::to_string(port)}, .home = home});
  legerd.wait_until_serving();
  TlsClient client(Client::tcp(port));
  REQUIRE(client.shake_hands());
  client.send(request("GET", "/health"));
  CHECK(client.read_answer().status == 200);
}

}  // namespace leger::test
