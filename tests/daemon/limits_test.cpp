// The sizes of threats T23 and T24 on the running daemon, at one below, at, and one above each.

#include <doctest/doctest.h>
#include <unistd.h>

#include <format>

#include "backend/base/text.h"
#include "daemon/http_session.h"
#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

constexpr std::size_t kMaxSecret = 511'999;
constexpr std::size_t kMiB = std::size_t{1} << 20;

std::string code_of(const Answer& answer) {
  const std::size_t at = answer.body.find(R"("code":")");
  if (at == std::string::npos) return {};
  const std::size_t from = at + 8;
  return answer.body.substr(from, answer.body.find('"', from) - from);
}

// A head whose request line has `size` bytes.
std::string with_request_line(std::size_t size) {
  const std::string_view around = "GET /api/ HTTP/1.1";
  return "GET /api/" + std::string(size - around.size(), 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

// A head whose header lines have `size` bytes with their line ends.
std::string with_header_bytes(std::size_t size) {
  const std::string host = "Host: h\r\n";
  return "GET /api HTTP/1.1\r\n" + host + "X: " + std::string(size - host.size() - 5, 'x') + "\r\n\r\n";
}

std::string with_fields(std::size_t count) {
  std::string head = "GET /api HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < count; ++i) head += "A: b\r\n";
  return head + "\r\n";
}

// A body of `size` bytes that sets a secret to "v".
std::string padded_body(std::size_t size) {
  std::string body = R"({"value":"v"})";
  return body + std::string(size - body.size(), ' ');
}

std::string chunked(std::string_view head, const std::string& body, std::size_t piece) {
  std::string text = std::string(head) + "Transfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += piece) text += chunk(std::string_view(body).substr(at, piece));
  return text + "0\r\n\r\n";
}

// What a client sees that goes on sending while it is refused.
Answer send_all(Client client, std::string_view bytes) {
  client.send_what_goes(bytes);
  return client.read_answer();
}

}  // namespace

TEST_CASE("a request line has at most 8192 bytes") {
  RunningDaemon daemon;
  for (const std::size_t size : {8191, 8192, 8193}) {
    CAPTURE(size);
    const Answer answer = ask(daemon.unix_socket(), with_request_line(size));
    CHECK(answer.status == (size <= 8192 ? 404 : 414));
    CHECK(code_of(answer) == (size <= 8192 ? "not_found" : "uri_too_long"));
    CHECK(ask(daemon.tcp(), with_request_line(size)).status == (size <= 8192 ? 401 : 414));
  }
}

TEST_CASE("a request line without an end is refused at 8 KiB") {
  RunningDaemon daemon;
  Client client = daemon.tcp();
  client.send("GET /" + std::string(8192 + 2 - 5, 'a'));
  daemon.settle();
  CHECK(client.is_quiet());
  client.send("a");
  const Answer answer = client.read_answer();
  CHECK(answer.status == 414);
  CHECK(
      answer.whole() ==
      daemon.answer(
          "414 URI Too Long",
          R"({"success":false,"error":{"code":"uri_too_long","message":"The request line is longer than 8192 bytes."}})",
          "Connection: close\r\n"));
}

TEST_CASE("the header lines have at most 16384 bytes") {
  RunningDaemon daemon;
  for (const std::size_t size : {16383, 16384, 16385}) {
    CAPTURE(size);
    const Answer answer = ask(daemon.unix_socket(), with_header_bytes(size));
    CHECK(answer.status == (size <= 16384 ? 404 : 431));
    CHECK(code_of(answer) == (size <= 16384 ? "not_found" : "headers_too_large"));
  }
  const std::string both = with_request_line(8192).substr(0, 8194) + with_header_bytes(16384).substr(19);
  CHECK(ask(daemon.unix_socket(), both).status == 404);
}

TEST_CASE("there are at most 100 header fields") {
  RunningDaemon daemon;
  for (const std::size_t count : {99, 100, 101}) {
    CAPTURE(count);
    const Answer answer = ask(daemon.unix_socket(), with_fields(count));
    CHECK(answer.status == (count <= 100 ? 404 : 431));
    CHECK(code_of(answer) == (count <= 100 ? "not_found" : "headers_too_large"));
  }
}

TEST_CASE("a JSON body has at most 1 MiB, announced or chunked") {
  RunningDaemon daemon;
  for (const std::size_t size : {kMiB - 1, kMiB, kMiB + 1}) {
    CAPTURE(size);
    const int wanted = size <= kMiB ? 201 : 413;
    const std::string name = std::to_string(size);
    const Answer announced = send_all(daemon.unix_socket(), request("PUT", "/api/secrets/a" + name, padded_body(size)));
    CHECK(announced.status == wanted);
    const std::string head = "PUT /api/secrets/b" + name + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    for (const std::size_t piece : {std::size_t{1000}, std::size_t{65536}, 2 * kMiB}) {
      const Answer answer = send_all(daemon.unix_socket(), chunked(head, padded_body(size), piece));
      CHECK((answer.status == 413) == (size > kMiB));
      if (size > kMiB) CHECK(code_of(answer) == "body_too_large");
    }
    if (size > kMiB) CHECK(code_of(announced) == "body_too_large");
  }
}

TEST_CASE("a secret's value has 1 to 511999 bytes, as text and as base64") {
  RunningDaemon daemon;
  for (const std::size_t size : {kMaxSecret - 1, kMaxSecret, kMaxSecret + 1}) {
    CAPTURE(size);
    const std::string value(size, 'v');
    const std::string name = std::to_string(size);
    const Answer text =
        send_all(daemon.unix_socket(), request("PUT", "/api/secrets/t" + name, R"({"value":")" + value + "\"}"));
    CHECK(text.status == (size <= kMaxSecret ? 201 : 413));
    const std::string bytes(size, '\xff');
    const Answer base64 =
        send_all(daemon.unix_socket(),
                 request("PUT", "/api/secrets/b" + name, R"({"value_base64":")" + base64_encode(bytes) + "\"}"));
    CHECK(base64.status == (size <= kMaxSecret ? 201 : 413));
    if (size > kMaxSecret) {
      CHECK(code_of(text) == "secret_value_too_large");
      CHECK(code_of(base64) == "secret_value_too_large");
    } else {
      CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets/t" + name)).body.contains(value));
      CHECK(ask(daemon.unix_socket(), request("GET", "/api/secrets/b" + name)).body.contains(base64_encode(bytes)));
    }
  }
  CHECK(ask(daemon.unix_socket(), request("PUT", "/api/secrets/e", R"({"value":""})")).status == 400);
  CHECK(ask(daemon.unix_socket(), request("PUT", "/api/secrets/e", R"({"value":"1"})")).status == 201);
}

TEST_CASE("before a request is authenticated at most 4096 bytes of a body are taken") {
  RunningDaemon daemon;
  for (const std::size_t size : {4095, 4096, 4097}) {
    CAPTURE(size);
    const int wanted = size <= 4096 ? 200 : 413;
    CHECK(ask(daemon.tcp(), request("GET", "/health", std::string(size, ' '))).status == wanted);
    const std::string head = "GET /health HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
    CHECK(ask(daemon.tcp(), chunked(head, std::string(size, ' '), 1000)).status == wanted);
  }
}

TEST_CASE("a bundle has at most 16 MiB, announced or chunked") {
  RunningDaemon daemon;
  for (const std::size_t size : {16 * kMiB - 1, 16 * kMiB, 16 * kMiB + 1}) {
    CAPTURE(size);
    const std::string body(size, 'x');
    const int wanted = size <= 16 * kMiB ? 400 : 413;
    const std::string_view code = size <= 16 * kMiB ? "invalid_bundle" : "bundle_too_large";
    const std::string head = "POST /api/releases HTTP/1.1\r\nHost: h\r\nContent-Type: application/gzip\r\n";
    const Answer announced =
        send_all(daemon.unix_socket(), head + std::format("Content-Length: {}\r\n\r\n", size) + body);
    CHECK(announced.status == wanted);
    CHECK(code_of(announced) == code);
    const Answer answer = send_all(daemon.unix_socket(), chunked(head, body, 100'000));
    CHECK(answer.status == wanted);
    CHECK(code_of(answer) == code);
  }
}

TEST_CASE("JSON is nested at most 64 deep") {
  RunningDaemon daemon;
  for (const std::size_t depth : {63, 64, 65}) {
    CAPTURE(depth);
    const std::string body = std::string(depth, '[') + std::string(depth, ']');
    const Answer answer = ask(daemon.unix_socket(), request("PUT", "/api/secrets/a", body));
    CHECK(answer.status == 400);
    CHECK(answer.body.contains("nested too deeply") == (depth > 64));
  }
}

TEST_CASE("a string of JSON has at most 1000 bytes unless it is a value") {
  RunningDaemon daemon;
  for (const std::size_t size : {999, 1000, 1001}) {
    CAPTURE(size);
    const std::string text(size, 's');
    const Answer name =
        ask(daemon.unix_socket(), request("POST", "/secrets/set", R"({"name":")" + text + R"(","value":"v"})"));
    CHECK(name.status == 400);
    CHECK(name.body.contains("longer than 1000 bytes") == (size > 1000));
    CHECK(name.body.contains("invalid_secret_name") == (size <= 1000));
    const Answer key = ask(daemon.unix_socket(), request("PUT", "/api/secrets/a", "{\"" + text + "\":1}"));
    CHECK(key.status == 400);
    CHECK(key.body.contains("name is too long") == (size > 1000));
  }
}

TEST_CASE("a field that is there twice is refused") {
  RunningDaemon daemon;
  const Answer answer = ask(daemon.unix_socket(), request("PUT", "/api/secrets/a", R"({"value":"a","value":"b"})"));
  CHECK(answer.status == 400);
  CHECK(answer.body.contains("there twice"));
}

TEST_CASE("large bodies leave no memory behind") {
  RunningDaemon daemon;
  const std::string body = padded_body(kMiB);
  const auto once = [&] { send_all(daemon.unix_socket(), request("PUT", "/api/secrets/a", body)); };
  for (int i = 0; i < 20; ++i) once();
  const std::size_t before = resident_bytes(getpid());
  for (int i = 0; i < 20; ++i) once();
  CHECK(resident_bytes(getpid()) < before + 4 * kMiB + kSanitizerBytes);
}

}  // namespace leger::test
