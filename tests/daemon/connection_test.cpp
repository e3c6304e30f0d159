// HTTP/1.1 on the running daemon: bytes in, whole answers out.

#include <doctest/doctest.h>
#include <unistd.h>

#include <format>
#include <set>

#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kEmptyList = R"({"success":true,"data":{"secrets":[],"total_count":0}})";

std::string not_found(std::string_view path) {
  return path.starts_with("/secrets")
             ? R"({"success":false,"error":"secret_not_found"})"
             : R"({"success":false,"error":{"code":"not_found","message":"There is nothing at this path."}})";
}

std::string put_body(std::string_view value) { return R"({"value":")" + std::string(value) + "\"}"; }

}  // namespace

TEST_CASE("a connection serves one request after the other") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  for (int i = 0; i < 3; ++i) {
    client.send(request("GET", "/api/secrets"));
    CHECK(client.read_answer().whole() == daemon.answer("200 OK", kEmptyList));
  }
  CHECK(client.is_quiet());
}

TEST_CASE("ten requests in one packet get ten answers in their order") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  std::string packet;
  std::string wanted;
  for (int i = 0; i < 10; ++i) {
    const std::string path = i % 3 == 1 ? "/api/absent" : "/secrets/get/absent" + std::to_string(i);
    packet += request(i % 3 == 2 ? "HEAD" : "GET", path);
    const std::string answer = daemon.answer("404 Not Found", not_found(path));
    wanted += i % 3 == 2 ? answer.substr(0, answer.find("\r\n\r\n") + 4) : answer;
  }
  client.send(packet);
  CHECK(client.read(wanted.size()) == wanted);
  CHECK(client.is_quiet());
}

TEST_CASE("requests with bodies are pipelined too") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("PUT", "/api/secrets/a", put_body("1")) + request("PUT", "/api/secrets/a", put_body("2")) +
              request("GET", "/api/secrets/a"));
  CHECK(client.read_answer().status == 201);
  CHECK(client.read_answer().status == 200);
  CHECK(client.read_answer().body.contains(R"("value":"2","version":2)"));
}

TEST_CASE("a connection ends when its client wants it") {
  RunningDaemon daemon;
  for (const std::string_view text :
       {"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /health HTTP/1.0\r\nHost: h\r\n\r\n",
        "GET /health HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"}) {
    CAPTURE(text);
    Client client = daemon.tcp();
    client.send(text);
    const Answer answer = client.read_answer();
    CHECK(answer.status == 200);
    CHECK(answer.has("Connection: close"));
    CHECK(client.read_to_end().empty());
    CHECK_FALSE(client.reset_seen());
  }
}

TEST_CASE("requests behind one that closes are not answered") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/absent", {}, "Connection: close\r\n") +
              request("PUT", "/api/secrets/a", put_body("1")));
  CHECK(client.read_to_end() == daemon.answer("404 Not Found", not_found("/api/absent"), "Connection: close\r\n"));
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets")).body == kEmptyList);
}

TEST_CASE("a client that ends its side after a request still gets the answer") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("GET", "/api/absent"));
  client.end_sending();
  CHECK(client.read_to_end() == daemon.answer("404 Not Found", not_found("/api/absent")));
}

TEST_CASE("a client that leaves in the middle of anything does no harm") {
  RunningDaemon daemon;
  const std::string whole = request("PUT", "/api/secrets/a", put_body("1"));
  for (std::size_t length = 0; length <= whole.size(); length += 7) {
    Client client = daemon.unix_socket();
    client.send(whole.substr(0, length));
    if (length % 2 == 0) client.end_sending();
  }
  daemon.settle();
  CHECK(ask(daemon.unix_socket(), request("GET", "/api/absent")).status == 404);
}

TEST_CASE("HEAD has the head of GET and nothing else") {
  RunningDaemon daemon;
  for (const std::string_view path : {"/health", "/api/secrets", "/api/absent", "/api/releases"}) {
    CAPTURE(path);
    const Answer get = ask(daemon.unix_socket(), request("GET", path));
    Client client = daemon.unix_socket();
    client.send(request("HEAD", path) + request("GET", path));
    CHECK(client.read(get.head.size() + get.whole().size()) == get.head + get.whole());
    CHECK(client.is_quiet());
  }
}

TEST_CASE("OPTIONS names the methods of a path") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(request("OPTIONS", "/api/secrets/x"));
  const Answer answer = client.read_answer();
  CHECK(answer.whole() == "HTTP/1.1 204 No Content\r\nDate: " + http_date(FakeClock().wall_seconds()) + "\r\n" +
                              std::string(kDataHeaders) + "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n\r\n");
  client.send(request("OPTIONS", "*"));
  CHECK(client.read_answer().status == 404);
}

TEST_CASE("100-continue is sent once the request is authenticated, and only to who wants it") {
  RunningDaemon daemon;
  const std::string body = put_body("waited");
  const std::string head = request("PUT", "/api/secrets/a", body, "Expect: 100-continue\r\n");
  SUBCASE("the body follows it") {
    Client client = daemon.unix_socket();
    client.send(head.substr(0, head.size() - body.size()));
    CHECK(client.read(kContinue.size()) == kContinue);
    CHECK(client.is_quiet());
    client.send(body);
    CHECK(client.read_answer().status == 201);
    client.send(request("GET", "/api/secrets/a"));
    CHECK(client.read_answer().body.contains("waited"));
  }
  SUBCASE("a stranger is refused without it") {
    Client client = daemon.tcp();
    client.send(head.substr(0, head.size() - body.size()));
    CHECK(client.read_answer().status == 401);
  }
  SUBCASE("a body that is too large is refused without it") {
    Client client = daemon.unix_socket();
    client.send(
        "PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n"
        "Expect: 100-continue\r\n\r\n");
    CHECK(client.read_answer().status == 413);
  }
  SUBCASE("a request without a body gets none") {
    Client client = daemon.unix_socket();
    client.send(request("GET", "/api/absent", {}, "Expect: 100-continue\r\n"));
    CHECK(client.read_answer().status == 404);
    CHECK(client.is_quiet());
  }
  SUBCASE("HTTP/1.0 does not know it") {
    Client client = daemon.unix_socket();
    client.send("PUT /api/secrets/a HTTP/1.0\r\nHost: h\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n" +
                std::format("Content-Length: {}\r\n\r\n{}", body.size(), body));
    CHECK(client.read_answer().status == 201);
  }
}

TEST_CASE("a chunked body arrives whole, however it is cut") {
  RunningDaemon daemon;
  const std::string head =
      "PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string body =
      chunk(R"({"val)", ";x=y") + chunk(R"(ue":"chunked")") + chunk("}") + "0\r\nTrailer: dropped\r\n\r\n";
  Client client = daemon.unix_socket();
  client.send(head + body + request("GET", "/api/absent"));
  CHECK(client.read_answer().status == 201);
  CHECK(client.read_answer().status == 404);
  for (const char byte : head + body) {
    client.send(std::string(1, byte));
    if (byte == '\n') daemon.settle();
  }
  CHECK(client.read_answer().status == 200);
  client.send(request("GET", "/api/secrets/a"));
  CHECK(client.read_answer().body.contains(R"("value":"chunked","version":2)"));
}

TEST_CASE("parsing errors are answered whole, and end the connection") {
  RunningDaemon daemon;
  const auto refused = [&daemon](std::string_view status, std::string_view code, std::string_view message) {
    return daemon.answer(status,
                         std::format(R"({{"success":false,"error":{{"code":"{}","message":"{}"}}}})", code, message),
                         "Connection: close\r\n");
  };
  struct Case {
    std::string bytes;
    std::string answer;
  };
  const Case cases[]{
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
       refused("400 Bad Request", "bad_request", "A request needs exactly one Host header.")},
      {"GET / HTTP/1.0\r\n\r\n", refused("400 Bad Request", "bad_request", "A request needs exactly one Host header.")},
      {"GET / HTTP/1.1\nHost: a\n\n",
       refused("400 Bad Request", "bad_request", "A line of the request does not end in CR LF.")},
      {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
       refused("400 Bad Request", "bad_request", "A header is folded over two lines.")},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
       refused("400 Bad Request", "bad_request", "This is not a request of HTTP/1.1 or 1.0.")},
      {"GET /\r\n\r\n", refused("400 Bad Request", "bad_request", "This is not a request of HTTP/1.1 or 1.0.")},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
       refused("501 Not Implemented", "not_implemented", "The only transfer coding is chunked.")},
      {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       refused("400 Bad Request", "bad_request", "Transfer-Encoding is not allowed here.")},
      {"\x16\x03\x01\x02\r\n\r\n",
       refused("400 Bad Request", "bad_request", "This is not a request of HTTP/1.1 or 1.0.")},
  };
  for (const Case& entry : cases) {
    for (const bool local : {false, true}) {
      Client client = local ? daemon.unix_socket() : daemon.tcp();
      CAPTURE(entry.bytes);
      client.send(entry.bytes + request("GET", "/health"));
      const std::string answer = client.read_to_end();
      if (!entry.answer.empty()) CHECK(answer == entry.answer);
      CHECK(answer.starts_with(entry.answer.empty() ? "HTTP/1.1 400 " : "HTTP/1.1 "));
      CHECK_FALSE(client.reset_seen());
    }
  }
}

TEST_CASE("a body that is not framed as it was announced ends the connection") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  client.send(
      "PUT /api/secrets/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: "
      "chunked\r\n\r\nxyz\r\n");
  const Answer answer = client.read_answer();
  CHECK(answer.status == 400);
  CHECK(answer.has("Connection: close"));
  CHECK(answer.body.contains("\"bad_request\""));
}

TEST_CASE("a client with a thousand requests leaves turns to others") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  std::string packet;
  for (int i = 0; i < 1000; ++i) packet += request("GET", "/health");
  int turns = 0;
  const RunningDaemon::OnLoop tick = [&turns, &tick](Loop& loop, FakeClock& clock) {
    clock.advance(1'000);
    if (++turns < 5) loop.post([&] { tick(loop, clock); });
  };
  daemon.while_held([&] { client.send(packet); }, tick);
  std::set<std::string> dates;
  for (int i = 0; i < 1000; ++i) dates.insert(client.read_answer().head);
  daemon.settle();
  CHECK(turns == 5);
  CHECK(dates.size() >= 3);  // all of them would be one or two in a single turn
}

TEST_CASE("a client that always leaves half a request behind costs no memory") {
  RunningDaemon daemon;
  Client client = daemon.unix_socket();
  const std::string one = request("GET", "/api/absent");
  const std::string answer = daemon.answer("404 Not Found", not_found("/api/absent"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += one;
  const std::string shifted = many.substr(one.size() / 2) + many.substr(0, one.size() / 2);
  client.send(one.substr(0, one.size() / 2));
  const std::size_t before = resident_bytes(getpid());
  std::string answers;
  for (int i = 0; i < 1000; ++i) {
    client.send(shifted);
    answers = client.read(answer.size() * 100);
  }
  CHECK(answers.ends_with(answer));
  CHECK(resident_bytes(getpid()) < before + (std::size_t{4} << 20) + kSanitizerBytes);
}

}  // namespace leger::test
