// The real legerd under load and signals: threats T26, T43, and a clean end.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/daemon/legerd_process.h"
#include "tests/daemon/running_daemon.h"
#include "tests/quadlets/archives.h"

namespace leger::test {
namespace {

using Clock = std::chrono::steady_clock;

// Connections that are begun and never used; those that nobody accepts stay half open.
class Flood {
 public:
  Flood(std::uint16_t port, int count) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      REQUIRE(fd >= 0);
      fds_.push_back(fd);
      static_cast<void>(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
    }
  }
  ~Flood() { end(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;
  void end() {
    for (const int fd : fds_) close(fd);
    fds_.clear();
  }

 private:
  std::vector<int> fds_;
};

std::string small_bundle() {
  return gzip(tar_file("manifest.json", manifest_for({"hello.container"})) +
              tar_file("hello.container", "[Container]\nImage=localhost/hello:latest\n") + tar_end());
}

// Waits until connections are refused: the doors are closed.
// A request by the name that legerd goes by without a configuration.
std::string request_by(std::uint16_t port) {
  return "GET /health HTTP/1.1\r\nHost: localhost:" + std::to_string(port) + "\r\n\r\n";
}

bool doors_close(const LegerdProcess& legerd) {
  for (int i = 0; i < 2000; ++i) {
    try {
      const Client probe = legerd.tcp();
    } catch (const std::runtime_error&) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("a thousand connections with 256 descriptors neither make it spin nor shut out the owner") {
  raise_descriptor_limit();
  LegerdProcess legerd({.arguments = {}, .descriptors = 256});
  legerd.wait_until_serving();
  Flood flood(legerd.port(), 1000);
  CHECK(ask(legerd.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"v"})")).status == 201);
  const std::uint64_t before = legerd.cpu_ms();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  CHECK(legerd.cpu_ms() - before < 200);
  for (int i = 0; i < 20; ++i) CHECK(ask(legerd.unix_socket(), request("GET", "/api/secrets/a")).status == 200);
  CHECK(
      ask(legerd.unix_socket(), request("POST", "/api/releases", small_bundle(), "Content-Type: application/gzip\r\n"))
          .status == 201);
  flood.end();
  const auto closed = Clock::now();
  CHECK(ask(legerd.tcp(), request_by(legerd.port())).status == 200);
  CHECK(Clock::now() - closed < std::chrono::seconds(5));
  legerd.signal(SIGTERM);
  CHECK(legerd.wait() == 0);
}

TEST_CASE("SIGTERM lets an upload that is under way finish") {
  LegerdProcess legerd({});
  legerd.wait_until_serving();
  Client client = legerd.unix_socket();
  const std::string upload = request("POST", "/api/releases", small_bundle(), "Content-Type: application/gzip\r\n");
  client.send(upload.substr(0, upload.size() / 2));
  CHECK(ask(legerd.unix_socket(), request("GET", "/api/releases")).status == 200);
  legerd.signal(SIGTERM);
  REQUIRE(doors_close(legerd));
  client.send(upload.substr(upload.size() / 2));
  const Answer answer = client.read_answer();
  CHECK(answer.status == 201);
  CHECK(answer.has("Connection: close"));
  CHECK(client.read_to_end().empty());
  CHECK(legerd.wait() == 0);
  CHECK(legerd.output().find("rror") == std::string::npos);
}

TEST_CASE("without connections SIGTERM and SIGINT end it at once") {
  for (const int number : {SIGTERM, SIGINT}) {
    LegerdProcess legerd({});
    legerd.wait_until_serving();
    CHECK(ask(legerd.tcp(), request_by(legerd.port())).status == 200);
    const Client idle = legerd.tcp();
    const auto begun = Clock::now();
    legerd.signal(number);
    CHECK(legerd.wait() == 0);
    CHECK(Clock::now() - begun < std::chrono::seconds(3));
  }
}

TEST_CASE("kill -9 loses nothing that was answered, and the next start replaces the socket") {
  const auto home = std::make_shared<TemporaryFolder>();
  for (int round = 0; round < 3; ++round) {
    LegerdProcess legerd({.arguments = {}, .home = home});
    legerd.wait_until_serving();
    const Answer answer = ask(legerd.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"v"})"));
    CHECK(answer.body.contains("\"version\":" + std::to_string(round + 1)));
    legerd.signal(SIGKILL);
    CHECK(legerd.wait() == 128 + SIGKILL);
  }
}

TEST_CASE("a second process on the same state folder ends with 1 and says why") {
  LegerdProcess first({});
  first.wait_until_serving();
  LegerdProcess second({.arguments = {"--state-dir", first.path(".local/state/leger")}});
  CHECK(second.wait() == 1);
  CHECK(second.output().contains("another legerd runs on the folder " + first.path(".local/state/leger")));
  CHECK(ask(first.unix_socket(), request("GET", "/api/secrets")).status == 200);
}

TEST_CASE("a second process on the same socket ends with 1 and says why") {
  LegerdProcess first({});
  first.wait_until_serving();
  LegerdProcess second({.arguments = {"--socket", first.path("run/leger/legerd.sock")}});
  CHECK(second.wait() == 1);
  CHECK(second.output().contains("Another process listens on " + first.path("run/leger/legerd.sock")));
  CHECK(ask(first.unix_socket(), request("GET", "/api/secrets")).status == 200);
}

TEST_CASE("with another key it refuses to start and touches nothing") {
  const auto home = std::make_shared<TemporaryFolder>();
  const std::string key = *home / ".config/leger/leger.kek";
  const std::string database = *home / ".local/state/leger/leger.db";
  {
    LegerdProcess legerd({.arguments = {}, .home = home});
    legerd.wait_until_serving();
    CHECK(ask(legerd.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"v"})")).status == 201);
    legerd.signal(SIGTERM);
    REQUIRE(legerd.wait() == 0);
  }
  const std::string right = read_file(key);
  CHECK(right.size() == 32);
  const std::string before = read_file(database);
  std::filesystem::remove(key);
  write_file(key, std::string(32, 'k'));
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  {
    LegerdProcess legerd({.arguments = {}, .home = home});
    CHECK(legerd.wait() == 1);
    CHECK(legerd.output().contains("key"));
  }
  CHECK(read_file(key) == std::string(32, 'k'));
  CHECK(read_file(database) == before);
  std::filesystem::remove(key);
  write_file(key, right);
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  LegerdProcess legerd({.arguments = {}, .home = home});
  legerd.wait_until_serving();
  CHECK(ask(legerd.unix_socket(), request("GET", "/api/secrets/a")).body.contains(R"("value":"v")"));
}

TEST_CASE("nothing it makes can be read by others") {
  LegerdProcess legerd({});
  legerd.wait_until_serving();
  CHECK(ask(legerd.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"v"})")).status == 201);
  CHECK(
      ask(legerd.unix_socket(), request("POST", "/api/releases", small_bundle(), "Content-Type: application/gzip\r\n"))
          .status == 201);
  using std::filesystem::perms;
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(legerd.path(""))) {
    CAPTURE(entry.path().string());
    if (entry.is_symlink()) continue;  // it has no rights of its own
    const perms others = entry.symlink_status().permissions() & (perms::group_all | perms::others_all);
    CHECK(others == perms::none);
    ++seen;
  }
  CHECK(seen > 8);
}

}  // namespace leger::test
