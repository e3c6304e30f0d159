#include "backend/base/http_client.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support.h"

namespace leger {
namespace {

using test::run;

constexpr const char* kHang = "(hang)";

// Takes connections one after another in a thread; reads what comes for a request (head and Content-Length) and sends
// the script's answer as it stands, then closes. A script of kHang says nothing until the client goes.
class Server {
 public:
  explicit Server(std::string script, std::string unix_path = {})
      : script_(std::move(script)), path_(std::move(unix_path)) {
    if (path_.empty()) {
      listen_tcp();
    } else {
      listen_unix();
    }
    thread_ = std::thread([this] { serve(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/path?q=1"; }
  std::string received() const {
    const std::scoped_lock lock(mutex_);
    return received_;
  }

 private:
  void listen_tcp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    REQUIRE(listen(listener_, 64) == 0);
  }
  void listen_unix() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(listen(listener_, 64) == 0);
  }
  bool readable(int fd) const {
    pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
    while (!stop_) {
      if (poll(&wanted, 1, 5) > 0) return true;
    }
    return false;
  }
  static bool is_whole(const std::string& request) {
    const std::size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const std::size_t length = request.find("Content-Length: ");
    if (length == std::string::npos) return true;
    return request.size() - head - 4 >= std::strtoul(request.c_str() + length + 16, nullptr, 10);
  }
  void serve() {
    while (readable(listener_)) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      answer(fd);
      close(fd);
    }
  }
  void answer(int fd) {
    std::string request;
    std::array<char, 65'536> bytes{};
    while (!is_whole(request) || script_ == kHang) {
      if (!readable(fd)) return;
      const auto count = read(fd, bytes.data(), bytes.size());
      if (count <= 0) return;
      request.append(bytes.data(), static_cast<std::size_t>(count));
    }
    {
      const std::scoped_lock lock(mutex_);
      received_ = request;
    }
    for (std::size_t sent = 0; sent < script_.size();) {
      const auto count = send(fd, script_.data() + sent, script_.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  const std::string script_;
  const std::string path_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::string received_;
  std::thread thread_;
};

struct Fixture {
  SystemClock clock;
  Loop loop{clock};
  HttpClient client{loop};

  Result<HttpResponse> get(const std::string& url, std::uint64_t timeout_ms = 20'000) {
    HttpRequest request;
    request.url = url;
    request.timeout_ms = timeout_ms;
    return run(loop, client.send(std::move(request)));
  }
};

// The server closes after each answer and says so: a client that found out by itself might try the connection again
// just then.
std::string answer(const std::string& headers, const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// The error's message, or nothing.
std::string problem(const Result<HttpResponse>& response) {
  if (response) return "";
  CHECK(response.error().code == Code::upstream_failed);
  return response.error().message;
}

TEST_CASE("an answer over TCP: status, headers by lower-case names, body") {
  Fixture f;
  const Server server(answer("X-One: 1\r\nx-two:two  words\r\nX-One: again\r\n", "hello"));
  const auto response = f.get(server.url());
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body == "hello");
  CHECK(response->header("x-one") == "1");
  CHECK(response->header("x-two") == "two  words");
  CHECK(response->header("X-One") == std::nullopt);
  CHECK(server.received().starts_with("GET /path?q=1 HTTP/1.1\r\n"));
}

TEST_CASE("an answer over a Unix socket") {
  Fixture f;
  const test::TemporaryFolder folder;
  const Server server(answer("", "local"), folder / "s");
  HttpRequest request;
  request.url = "http://d/v1/x";
  request.unix_socket = folder / "s";
  const auto response = run(f.loop, f.client.send(std::move(request)));
  REQUIRE(response);
  CHECK(response->body == "local");
  CHECK(server.received().find("Host: d\r\n") != std::string::npos);
}

TEST_CASE("method, headers and a body of any bytes are sent as given, without Expect") {
  Fixture f;
  const Server server(answer("", ""));
  const std::string body = std::string("a\0b", 3) + std::string(3000, 'x');
  HttpRequest request;
  request.method = "PUT";
  request.url = server.url();
  request.headers = {"Content-Type: application/octet-stream", "X-Mine: yes"};
  request.body = body;
  REQUIRE(run(f.loop, f.client.send(std::move(request))));
  const std::string received = server.received();
  CHECK(received.starts_with("PUT /path?q=1 HTTP/1.1\r\n"));
  CHECK(received.find("X-Mine: yes\r\n") != std::string::npos);
  CHECK(received.find("Content-Type: application/octet-stream\r\n") != std::string::npos);
  CHECK(received.find("Content-Length: 3003\r\n") != std::string::npos);
  CHECK(received.find("Expect") == std::string::npos);
  CHECK(received.ends_with("\r\n\r\n" + body));
}

TEST_CASE("a body that goes out is told of, up to its end") {
  Fixture f;
  const Server server(answer("", ""));
  HttpRequest request;
  request.method = "POST";
  request.url = server.url();
  request.body = std::string(1 << 20, 'x');
  std::vector<std::pair<std::uint64_t, std::uint64_t>> told;
  request.on_upload = [&told](std::uint64_t sent, std::uint64_t all) { told.emplace_back(sent, all); };
  REQUIRE(run(f.loop, f.client.send(std::move(request))));
  REQUIRE(told.size() > 1);
  for (std::size_t i = 0; i < told.size(); ++i) {
    CHECK(told[i].second == 1 << 20);
    if (i > 0) CHECK(told[i].first > told[i - 1].first);
  }
  CHECK(told.back().first == 1 << 20);
}

TEST_CASE("a HEAD has no body to wait for") {
  Fixture f;
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  HttpRequest request;
  request.method = "HEAD";
  request.url = server.url();
  const auto response = run(f.loop, f.client.send(std::move(request)));
  REQUIRE(response);
  CHECK(response->header("content-length") == "100");
  CHECK(response->body.empty());
}

TEST_CASE("what comes before the final answer is not part of it") {
  Fixture f;
  const Server server("HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" + answer("X-Late: 1\r\n", "body"));
  const auto response = f.get(server.url());
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->header("x-early") == std::nullopt);
  CHECK(response->header("x-late") == "1");
}

TEST_CASE("a chunked body is put together") {
  Fixture f;
  const Server server(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\n\r\n");
  const auto response = f.get(server.url());
  REQUIRE(response);
  CHECK(response->body == "hello world");
}

TEST_CASE("every status is an answer, a redirect is not followed") {
  Fixture f;
  for (const int status : {204, 302, 404, 500}) {
    const Server server("HTTP/1.1 " + std::to_string(status) +
                        " X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    const auto response = f.get(server.url());
    REQUIRE(response);
    CHECK(response->status == status);
  }
}

TEST_CASE("an answer longer than allowed is an error, one of exactly that length is not") {
  Fixture f;
  const Server whole(answer("", std::string(1000, 'x')));
  const Server chunked("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" +
                       std::string(1000, 'x') + "\r\n0\r\n\r\n");
  for (const Server* server : {&whole, &chunked}) {
    for (const std::size_t most : {999U, 1000U, 1001U}) {
      HttpRequest request;
      request.url = server->url();
      request.max_body_bytes = most;
      const auto response = run(f.loop, f.client.send(std::move(request)));
      CHECK(response.has_value() == (most >= 1000));
      if (!response) CHECK(problem(response).find("longer than 999 bytes") != std::string::npos);
    }
  }
}

TEST_CASE("a server that says nothing is given up at the deadline") {
  Fixture f;
  const Server server(kHang);
  const auto began = f.clock.monotonic_ms();
  CHECK(problem(f.get(server.url(), 100)).find("No answer from " + server.url()) == 0);
  CHECK(f.clock.monotonic_ms() - began >= 99);
  CHECK(f.clock.monotonic_ms() - began < 5000);
}

TEST_CASE("a server that is not there") {
  Fixture f;
  std::string url;
  {
    const Server gone(kHang);
    url = gone.url();
  }
  CHECK(!problem(f.get(url)).empty());
  HttpRequest request;
  request.url = "http://d/";
  request.unix_socket = "/nonexistent/socket";
  CHECK(problem(run(f.loop, f.client.send(std::move(request)))).find("/nonexistent/socket") != std::string::npos);
}

TEST_CASE("an answer that is not HTTP, or that ends too early, is an error") {
  Fixture f;
  for (const std::string& script :
       {std::string("\xff\xfe garbage\r\n\r\n"), std::string(),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), std::string("HTTP/1.1 200")}) {
    const Server server(script);
    CHECK_MESSAGE(!problem(f.get(server.url())).empty(), script);
  }
}

TEST_CASE("other protocols are refused") {
  Fixture f;
  for (const char* url : {"file:///etc/passwd", "ftp://127.0.0.1/", "no url at all", ""}) {
    CHECK(!problem(f.get(url)).empty());
  }
}

TEST_CASE("a proxy of the environment is not used") {
  Fixture f;
  const Server server(answer("", "direct"));
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  const auto response = f.get(server.url());
  unsetenv("http_proxy");
  CHECK(response.has_value());
}

Task<void> count(HttpClient& client, std::string url, int& answers) {
  HttpRequest request;
  request.url = std::move(url);
  const auto response = co_await client.send(std::move(request));
  if (response && response->body == "one") ++answers;
}

TEST_CASE("many requests at once all get their answers") {
  Fixture f;
  const Server server(answer("", "one"));
  int answers = 0;
  for (int i = 0; i < 50; ++i) f.loop.spawn(count(f.client, server.url(), answers), {});
  f.loop.run_until_idle();
  CHECK(answers == 50);
}

// The descriptors of this process that are connected to the port of `url`.
std::vector<int> connected_to(const std::string& url) {
  std::vector<int> found;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.sin_family != AF_INET) continue;
    if (url.contains(":" + std::to_string(ntohs(peer.sin_port)) + "/")) found.push_back(fd);
  }
  return found;
}

TEST_CASE("who waits is told how much has come, and no socket would live on in another program") {
  Fixture f;
  const Server server(answer("", std::string(1000, 'x')));
  std::size_t received = 0;
  std::vector<int> flags;
  HttpRequest request;
  request.url = server.url();
  request.on_received = [&](std::size_t bytes) {
    received = bytes;
    for (const int fd : connected_to(server.url())) flags.push_back(fcntl(fd, F_GETFD));
  };
  CHECK(run(f.loop, f.client.send(std::move(request))).has_value());
  CHECK(received == 1000);
  CHECK(flags == std::vector<int>(std::max<std::size_t>(flags.size(), 1), FD_CLOEXEC));
}

TEST_CASE("a client that is stopped waits for nobody, and asks nobody any more") {
  Fixture f;
  const Server server(kHang);
  int answers = 0;
  for (int i = 0; i < 3; ++i) f.loop.spawn(count(f.client, server.url(), answers), {});
  f.client.stop();
  f.loop.run_until_idle();  // would be the time-out of 10 s
  CHECK(answers == 0);
  const Server other(answer("", "one"));
  CHECK(!problem(f.get(other.url())).empty());
}

}  // namespace
}  // namespace leger
