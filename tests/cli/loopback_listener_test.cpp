#include "cli/loopback_listener.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/cli/browser_harness.h"

namespace leger {
namespace {

using test::get_line;
using test::location_of;

std::uint16_t port_of(const LoopbackListener& listener) {
  const std::string address = listener.address();
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

Patience patience(std::uint64_t sign_in_ms, std::uint64_t request_ms) {
  return {.sign_in_ms = sign_in_ms, .request_ms = request_ms};
}

// A connection that says `bytes` and stays open.
class Lingering : public test::Descriptor {
 public:
  Lingering(std::uint16_t port, const std::string& bytes) : Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(connect(get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(send(get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
};

TEST_CASE("queries are decoded, and none is taken whose names come twice or whose escapes are wrong") {
  CHECK(parse_query("").empty());
  CHECK(parse_query("a=1&b=&c&=d") == Query{{"a", "1"}, {"b", ""}, {"c", ""}, {"", "d"}});
  CHECK(parse_query("&a=%41%2fb+c&") == Query{{"a", "A/b c"}});
  CHECK(parse_query("a==b") == Query{{"a", "=b"}});
  for (const char* wrong : {"a=1&a=2", "a=1&%61=2", "a=%", "a=%1", "a=%zz", "%=1"}) CHECK(parse_query(wrong).empty());
}

TEST_CASE("requests that are not the page's are answered without ado, and the next one is waited for") {
  auto listener = LoopbackListener::open(patience(10'000, 10'000));
  REQUIRE(listener.has_value());
  const std::uint16_t port = port_of(*listener);
  std::vector<std::string> answers;
  std::thread browser([&] {
    for (const std::string& request :
         {get_line("/favicon.ico"), get_line("/a?code=1"), get_line("*"), std::string("POST / HTTP/1.1\r\n\r\n"),
          std::string("GET /\r\n\r\n"), std::string("GET / HTTP/2.0\r\n\r\n"), std::string("\r\n\r\n"),
          std::string(8192, 'x'), get_line("/?code=%31")}) {
      answers.push_back(test::send_to(port, request));
    }
  });
  const auto query = listener->next();
  REQUIRE(query.has_value());
  CHECK(*query == Query{{"code", "1"}});
  listener->redirect("http://h/?result=success");
  browser.join();
  REQUIRE(answers.size() == 9);
  for (std::size_t i = 0; i < 3; ++i) CHECK(answers[i].starts_with("HTTP/1.1 404 "));
  CHECK(answers[3].starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"));
  for (std::size_t i = 4; i < 7; ++i) CHECK(answers[i].starts_with("HTTP/1.1 400 "));
  CHECK(answers[7].starts_with("HTTP/1.1 431 "));
  CHECK(answers[8] ==
        "HTTP/1.1 303 See Other\r\nLocation: http://h/?result=success\r\nContent-Length: 0\r\nCache-Control: "
        "no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n");
}

TEST_CASE("connections that say nothing, or half a request, hold nobody up") {
  auto listener = LoopbackListener::open(patience(10'000, 10'000));
  REQUIRE(listener.has_value());
  const std::uint16_t port = port_of(*listener);
  const Lingering silent(port, "");
  const Lingering half(port, "GET /?code=1 HTTP/1.1\r\nHost: x\r\n");
  std::string answer;
  std::thread browser([&] { answer = test::send_to(port, get_line("/?code=2")); });
  const auto query = listener->next();
  REQUIRE(query.has_value());
  CHECK(query->at("code") == "2");
  listener->redirect("http://h/");
  browser.join();
  CHECK(location_of(answer) == "http://h/");
}

TEST_CASE("a request in pieces is one request") {
  auto listener = LoopbackListener::open(patience(10'000, 10'000));
  REQUIRE(listener.has_value());
  const Lingering slow(port_of(*listener), "GET /?co");
  std::thread browser([&] {
    for (const std::string& piece : {std::string("de=3 HTTP/1.1\r"), std::string("\n\r"), std::string("\n")}) {
      CHECK(send(slow.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0);
    }
  });
  const auto query = listener->next();
  browser.join();
  REQUIRE(query.has_value());
  CHECK(query->at("code") == "3");
}

TEST_CASE("more silent connections than there are places are dropped after their time") {
  auto listener = LoopbackListener::open(patience(10'000, 30));
  REQUIRE(listener.has_value());
  const std::uint16_t port = port_of(*listener);
  std::vector<std::unique_ptr<Lingering>> crowd;
  crowd.reserve(16);
  for (int i = 0; i < 16; ++i) crowd.push_back(std::make_unique<Lingering>(port, "GET"));
  const Lingering wanted(port, get_line("/?code=4"));
  const auto query = listener->next();
  REQUIRE(query.has_value());
  CHECK(query->at("code") == "4");
}

TEST_CASE("the whole wait has an end") {
  auto listener = LoopbackListener::open(patience(20, 10'000));
  REQUIRE(listener.has_value());
  const Lingering silent(port_of(*listener), "GET");
  const auto query = listener->next();
  REQUIRE(!query);
  CHECK(query.error().code == Code::request_timeout);
}

TEST_CASE("it listens on 127.0.0.1 and nowhere else") {
  auto listener = LoopbackListener::open(patience(20, 20));
  REQUIRE(listener.has_value());
  CHECK(listener->address() == "http://127.0.0.1:" + std::to_string(port_of(*listener)) + "/");
  const test::Descriptor other(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  address.sin_port = htons(port_of(*listener));
  CHECK(connect(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0);
}

}  // namespace
}  // namespace leger
