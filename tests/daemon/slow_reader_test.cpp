// Clients that do not read their answers, threats T25: they cost no memory, hold up nobody, and are cut off.

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/daemon/many_secrets.h"
#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::size_t kSecrets = 20'000;  // 3 MB of list
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kStall = 30'000;

// All chunked data of an answer's body, or nothing where it does not end as it must.
std::string put_together(std::string_view body) {
  std::string data;
  while (true) {
    const std::size_t line = body.find("\r\n");
    if (line == std::string_view::npos) return {};
    const std::size_t size = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
    if (size == 0) return body.substr(line) == "\r\n\r\n" ? data : "";
    data += body.substr(line + 2, size);
    body.remove_prefix(std::min(body.size(), line + 2 + size + 2));
  }
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a long list comes in chunks, whole") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/secrets") + request("GET", "/api/absent"));
  const Answer answer = client.read_answer();
  CHECK(answer.head == "HTTP/1.1 200 OK\r\nDate: " + http_date(FakeClock().wall_seconds()) +
                           "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" +
                           std::string(kDataHeaders) + "\r\n");
  const std::string list = put_together(answer.body);
  CHECK(list.starts_with(R"({"success":true,"data":{"secrets":[{"name":"name_0)"));
  CHECK(list.ends_with(R"("version":1}],"total_count":20000}})"));
  CHECK(count_of(list, "\"name\":") == kSecrets);
  CHECK(client.read_answer().status == 404);

  Client old = daemon.unix_socket();
  old.send("GET /api/secrets HTTP/1.0\r\nHost: h\r\n\r\n");
  const std::string whole = old.read_to_end();
  CHECK(whole.ends_with("\r\n\r\n" + list));
  CHECK_FALSE(whole.contains("Transfer-Encoding"));

  const Answer head = ask(daemon.unix_socket(), request("HEAD", "/api/secrets"));
  CHECK(head.head == answer.head);
}

TEST_CASE("clients that do not read cost no memory, hold up nobody, and are cut off after 30 s") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  REQUIRE(ask(daemon.unix_socket(), request("GET", "/api/secrets")).status == 200);
  const std::size_t before = resident_bytes(getpid());
  std::vector<Client> stuck;
  for (int i = 0; i < 20; ++i) {
    stuck.push_back(daemon.unix_socket());
    stuck.back().send(request("GET", "/api/secrets"));
  }
  daemon.settle();
  CHECK(resident_bytes(getpid()) < before + 6 * kMiB + kSanitizerBytes);  // their answers have 60 MB
  CHECK(ask(daemon.tcp(), request("GET", "/health")).status == 200);
  CHECK(ask(daemon.unix_socket(), request("PUT", "/api/secrets/x", R"({"value":"v"})")).status == 201);
  daemon.advance(kStall - 1);
  for (const Client& client : stuck) CHECK_FALSE(client.is_cut());
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets/x")).status == 200);
  daemon.advance(1);
  for (Client& client : stuck) {
    CHECK(client.is_cut());
    const std::string part = client.read_to_end();
    CHECK(part.size() < kMiB);
    CHECK_FALSE(part.ends_with("0\r\n\r\n"));
  }
  CHECK(resident_bytes(getpid()) < before + 6 * kMiB + kSanitizerBytes);
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/absent")).status == 404);
}

TEST_CASE("a slow client that reads on is served to the end") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/secrets"));
  daemon.settle();
  std::string text;
  for (std::size_t wanted = 500'000; text.size() < 2'500'000; text += client.read(wanted)) daemon.advance(kStall - 1);
  daemon.advance(kStall - 1);
  CHECK_FALSE(client.is_cut());
  while (!text.ends_with("\r\n0\r\n\r\n")) text += client.read(1);
  CHECK(put_together(text.substr(text.find("\r\n\r\n") + 4)).ends_with("}}"));
}

TEST_CASE("the time of a stuck client begins anew with what it has read") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/secrets"));
  daemon.advance(kStall - 1);
  CHECK(client.read(500'000).size() == 500'000);
  daemon.advance(kStall - 1);
  CHECK_FALSE(client.is_cut());
  daemon.advance(1);
  CHECK(client.is_cut());
}

TEST_CASE("a client that reads slowly while the daemon ends gets all of its answer, and then the end") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/secrets"));
  daemon.settle();
  daemon.begin_stop();
  CHECK(client.read_answer().body.ends_with("\r\n0\r\n\r\n"));
  CHECK(client.read_to_end().empty());  // without the daemon's clock moving
}

TEST_CASE("a client that sends requests and reads no answer is not read any further") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  const std::size_t before = resident_bytes(getpid());
  std::string packet;
  for (int i = 0; i < 1000; ++i) packet += request("GET", "/api/absent");
  std::size_t sent = 0;
  std::size_t last = 1;
  while (last != 0 && sent < 64 * kMiB) {
    // The kernel's buffers take some; then nothing goes any more.
    const ssize_t taken = ::send(client.fd(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    last = taken < 0 ? 0 : static_cast<std::size_t>(taken);
    sent += last;
    daemon.settle();
  }
  CHECK(sent < 4 * kMiB);
  CHECK(resident_bytes(getpid()) < before + 4 * kMiB + kSanitizerBytes);
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/absent")).status == 404);
  daemon.advance(kStall);
  CHECK(client.is_cut());
}

TEST_CASE("a client that is gone in the middle of its answer does no harm") {
  RunningDaemon daemon({.folder = folder_with_secrets(kSecrets)});
  for (int i = 0; i < 10; ++i) {
    Client client = daemon.unix_socket();
    client.send(request("GET", "/api/secrets"));
    CHECK(client.read(1000 * static_cast<std::size_t>(i)).size() == 1000 * static_cast<std::size_t>(i));
  }
  daemon.settle();
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/absent")).status == 404);
}

}  // namespace leger::test
