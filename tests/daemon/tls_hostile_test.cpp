// Clients of a TLS door that are slow, broken, plain or hostile: cut off in time, at the expense of nobody else.

#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <random>
#include <vector>

#include "daemon/client_connection.h"
#include "daemon/http_session.h"
#include "tests/daemon/legerd_process.h"
#include "tests/daemon/test_certificates.h"
#include "tests/daemon/tls_client.h"

namespace leger::test {
namespace {

constexpr std::size_t kKiB = 1024;

// The first bytes that a client of OpenSSL's sends.
std::string client_hello() {
  const auto [own, other] = Client::pair();
  const Client unused(other);
  TlsClient client{Client(own)};
  return client.seal({});
}

bool serves(const RunningDaemon& daemon) {
  TlsClient client(daemon.tcp());
  if (!client.shake_hands()) return false;
  client.send(request("GET", "/health"));
  return client.read_answer().status == 200;
}

}  // namespace

TEST_CASE("a client that does not finish its handshake is cut off after 5 s") {
  RunningDaemon daemon(with_tls());
  const std::string hello = client_hello();
  REQUIRE(hello.size() > 100);
  std::vector<Client> slow;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{50}, hello.size()}) {
    slow.push_back(daemon.tcp());
    slow.back().send(hello.substr(0, size));
  }
  TlsClient honest(daemon.tcp());
  REQUIRE(honest.shake_hands());
  daemon.advance(kHandshakeMs - 1);
  for (const Client& client : slow) CHECK_FALSE(client.is_cut());
  daemon.advance(1);
  for (const Client& client : slow) CHECK(client.is_cut());
  honest.send(request("GET", "/health"));
  CHECK(honest.read_answer().status == 200);
}

TEST_CASE("after its handshake a client has the times of a plain one") {
  RunningDaemon daemon(with_tls());
  TlsClient client(daemon.tcp());
  REQUIRE(client.shake_hands());
  daemon.advance(kHeadTimeoutMs - 1);
  CHECK_FALSE(client.raw().is_cut());
  daemon.advance(1);
  CHECK(client.read_to_end().empty());
  CHECK(client.end_was_said());

  TlsClient half(daemon.tcp());
  REQUIRE(half.shake_hands());
  half.send("GET /health HTTP/1.1\r\n");
  daemon.advance(kHeadTimeoutMs);
  CHECK(half.read_answer().status == 408);
}

TEST_CASE("records that say nothing keep no connection alive") {
  RunningDaemon daemon(with_tls());
  TlsClient client(daemon.tcp());
  REQUIRE(client.shake_hands());
  for (int i = 0; i < 9; ++i) {
    client.change_keys();
    daemon.advance(1'000);
  }
  CHECK_FALSE(client.raw().is_cut());
  client.change_keys();
  daemon.advance(1'000);
  CHECK(client.raw().is_cut());
}

TEST_CASE("what is no handshake is refused") {
  RunningDaemon daemon(with_tls());
  std::mt19937 random(1);  // NOLINT: the same bytes in every run
  for (int i = 0; i < 50; ++i) {
    std::string bytes(1 + random() % 2000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    Client client = daemon.tcp();
    client.send_what_goes(bytes);
    client.end_sending();
    CHECK_FALSE(client.read_to_end().contains("HTTP/1.1 200"));
  }
  CHECK(serves(daemon));
}

TEST_CASE("plain HTTP to a TLS port is told so, plainly") {
  RunningDaemon daemon(with_tls());
  for (const std::string_view method : {"GET", "HEAD", "PUT", "POST"}) {
    CAPTURE(method);
    Client client = daemon.tcp();
    client.send(request(method, "/health"));
    const std::string answer = client.read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK(answer.ends_with("\r\nContent-Length: 24\r\nConnection: close\r\n\r\nThis port speaks https.\n"));
    CHECK_FALSE(client.reset_seen());
  }
  CHECK(serves(daemon));
}

TEST_CASE("a stream that is cut in the middle of a request is a closed connection") {
  RunningDaemon daemon(with_tls());
  const std::string text = request("GET", "/health", "{}");
  for (std::size_t size = 0; size < text.size(); size += 9) {
    TlsClient client(daemon.tcp());
    REQUIRE(client.shake_hands());
    client.send(std::string_view(text).substr(0, size));
    client.raw().end_sending();
    CHECK_FALSE(client.read_to_end().contains("HTTP/1.1 200"));
  }
  TlsClient whole(daemon.tcp());
  REQUIRE(whole.shake_hands());
  whole.send(text);
  whole.raw().end_sending();
  CHECK(whole.read_to_end().starts_with("HTTP/1.1 200"));
}

TEST_CASE("renegotiation is refused") {
  RunningDaemon daemon(with_tls());
  TlsClient client(daemon.tcp(), {.most_version = TLS1_2_VERSION});
  REQUIRE(client.shake_hands());
  CHECK_FALSE(client.renegotiates());
  CHECK(serves(daemon));
}

TEST_CASE("ciphertext that was changed on its way is never served") {
  RunningDaemon daemon(with_tls());
  std::mt19937 random(2);  // NOLINT: the same bytes in every run
  for (int i = 0; i < 100; ++i) {
    CAPTURE(i);
    TlsClient client(daemon.tcp(), {.most_version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION});
    REQUIRE(client.shake_hands());
    std::string sealed = client.seal(request("GET", "/health"));
    const std::size_t at = random() % sealed.size();
    sealed[at] = static_cast<char>(sealed[at] ^ static_cast<char>(1U << random() % 8));
    if (i % 5 == 0) sealed.erase(at, 1);
    client.raw().send_what_goes(sealed);
    client.raw().end_sending();
    CHECK(client.read_to_end().empty());
  }
  CHECK(serves(daemon));
}

TEST_CASE("handshakes that were changed on their way do no harm") {
  RunningDaemon daemon(with_tls());
  const std::string hello = client_hello();
  std::mt19937 random(3);  // NOLINT: the same bytes in every run
  for (int i = 0; i < 300; ++i) {
    std::string changed = hello;
    for (unsigned left = 1 + random() % 4; left > 0; --left) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    if (i % 7 == 0) changed.resize(random() % changed.size());
    if (i % 11 == 0) changed += hello;
    Client client = daemon.tcp();
    client.send_what_goes(changed);
    client.end_sending();
    client.read_to_end();
  }
  CHECK(serves(daemon));
}

TEST_CASE("a thousand idle TLS connections cost little memory") {
  raise_descriptor_limit();
  const auto home = std::make_shared<TemporaryFolder>();
  put_pair(*home, make_pair());
  put_file(*home / "legerd.toml",
           "hosts = [\"localhost:443\"]\n[limits]\nconnections_per_peer = 0\nrequests_per_second = 0\nrequest_burst = "
           "0\n[tls]\ncert = \"" +
               *home / "tls.crt" + "\"\nkey = \"" + *home / "tls.key" + "\"\n");
  LegerdProcess legerd({.arguments = {"--config", *home / "legerd.toml"}, .descriptors = 4096, .home = home});
  legerd.wait_until_serving();
  std::vector<TlsClient> clients;
  std::size_t before = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 10) before = resident_bytes(legerd.pid());
    clients.emplace_back(legerd.tcp());
    REQUIRE(clients.back().shake_hands());
    clients.back().send(request("GET", "/health"));
    REQUIRE(clients.back().read_answer().status == 200);
  }
  const std::size_t each = (resident_bytes(legerd.pid()) - before) / 990;
  MESSAGE("bytes of a TLS connection: ", each);
  // 19 KiB with OpenSSL 3.0, 34 KiB with 3.5.
  CHECK(each < 48 * kKiB + kSanitizerBytes / 990);
}

}  // namespace leger::test
