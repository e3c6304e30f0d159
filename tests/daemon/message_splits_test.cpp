// The parser gives the same result however the bytes of a connection are cut into pieces, also for mutated bytes.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include "tests/daemon/client.h"
#include "tests/daemon/parsing.h"

namespace leger::test {
namespace {

// Connections of several requests, good ones and such that end in a refusal.
const std::vector<std::string>& connections() {
  static const std::vector<std::string> all{
      "GET /a?b=c HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\nGET /d HTTP/1.0\r\nHost: h\r\n\r\n",
      post("Content-Length: 11\r\n", "hello world") + post("Content-Length: 1\r\nConnection: close\r\n", "!"),
      post("Transfer-Encoding: chunked\r\n", chunk("hello ", ";a=b;c=\"d\"") + chunk("world") + "0\r\nX: y\r\n\r\n") +
          "GET /next HTTP/1.1\r\nHost: h\r\n\r\n",
      post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n") +
          post("Transfer-Encoding: chunked\r\n", chunk("x") + "0;e\r\n\r\n"),
      post("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 3\r\n", "abc") + "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
      post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"),
      post("Transfer-Encoding: chunked\r\n", chunk("hello") + "xyz\r\n"),
      "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\nHost: h\r\n\r\n",
  };
  return all;
}

std::vector<std::string_view> cut(std::string_view bytes, std::vector<std::size_t> places) {
  std::ranges::sort(places);
  std::vector<std::string_view> pieces;
  std::size_t from = 0;
  for (const std::size_t place : places) {
    pieces.push_back(bytes.substr(from, place - from));
    from = place;
  }
  pieces.push_back(bytes.substr(from));
  return pieces;
}

std::vector<std::string_view> single_bytes(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  return pieces;
}

int soak_factor() { return std::getenv("LEGER_SOAK") == nullptr ? 1 : 100; }

// One to four random changes of bytes that an attacker would try.
std::string mutated(std::string bytes, std::mt19937& random) {
  static constexpr std::array<std::string_view, 16> parts{"\r\n",
                                                          "\n",
                                                          "\r",
                                                          " ",
                                                          "\t",
                                                          ":",
                                                          "0",
                                                          std::string_view("\0", 1),
                                                          "\r\n\r\n",
                                                          "Content-Length: 3\r\n",
                                                          "Transfer-Encoding: chunked\r\n",
                                                          "HTTP/1.1",
                                                          ";",
                                                          "\xff",
                                                          "ffffffffffffffff",
                                                          "Host: h\r\n"};
  for (std::size_t left = 1 + random() % 4; left > 0; --left) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.insert(at, parts[random() % parts.size()]);
        break;
      case 2:
        bytes.erase(at, 1 + random() % 8);
        break;
      default:
        bytes.insert(at, bytes.substr(random() % bytes.size(), 1 + random() % 32));
    }
    if (bytes.empty()) bytes = "G";
  }
  return bytes;
}

}  // namespace

TEST_CASE("two pieces, cut at any byte, are read as one") {
  for (const std::string& bytes : connections()) {
    const std::string whole = parse_whole(bytes);
    CAPTURE(bytes);
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      CAPTURE(at);
      CHECK(parse_pieces(cut(bytes, {at})) == whole);
    }
  }
}

TEST_CASE("single bytes are read as one piece") {
  for (const std::string& bytes : connections()) CHECK(parse_pieces(single_bytes(bytes)) == parse_whole(bytes));
}

TEST_CASE("three pieces, cut at random bytes, are read as one") {
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same cuts in every run
  for (int round = 0; round < 300 * soak_factor(); ++round) {
    for (const std::string& bytes : connections()) {
      const std::size_t first = random() % (bytes.size() + 1);
      const std::size_t second = random() % (bytes.size() + 1);
      CAPTURE(bytes);
      CAPTURE(first);
      CAPTURE(second);
      CHECK(parse_pieces(cut(bytes, {first, second})) == parse_whole(bytes));
    }
  }
}

TEST_CASE("mutated requests are read or refused, and the same in one piece as in many") {
  std::mt19937 random(23);  // NOLINT(cert-msc51-cpp): the same mutations in every run
  for (int round = 0; round < 2000 * soak_factor(); ++round) {
    const std::string bytes = mutated(connections()[random() % connections().size()], random);
    const std::size_t first = random() % (bytes.size() + 1);
    const std::size_t second = random() % (bytes.size() + 1);
    CAPTURE(bytes);
    const std::string whole = parse_whole(bytes);
    CHECK(parse_pieces(cut(bytes, {first, second})) == whole);
    CHECK(parse_pieces(single_bytes(bytes)) == whole);
  }
}

}  // namespace leger::test
