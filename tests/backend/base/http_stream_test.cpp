// Answers that are taken as they come.

#include <doctest/doctest.h>

#include <string>

#include "backend/base/http_client.h"
#include "tests/fakes/http_server.h"
#include "tests/support.h"

namespace leger {
namespace {

using test::HttpServer;
using test::Reply;
using test::run;

struct Fixture {
  SystemClock clock;
  Loop loop{clock};
  HttpClient client{loop};

  Result<HttpResponse> take(const HttpServer& server, std::function<bool(std::string_view)> on_part,
                            std::uint64_t silence_ms = 10'000) {
    HttpRequest request;
    request.url = server.url() + "/x";
    request.timeout_ms = silence_ms;
    request.max_body_bytes = 4;
    request.on_part = std::move(on_part);
    return run(loop, client.send(std::move(request)));
  }
};

HttpServer::Handler always(const std::string& bytes) {
  return [bytes](const test::SeenRequest&) { return Reply{.bytes = bytes}; };
}

}  // namespace

TEST_CASE("parts go to who asked for them, however many, and are not kept") {
  Fixture f;
  const HttpServer server(always(test::http_answer(200, "much more than four bytes")));
  std::string all;
  const auto response = f.take(server, [&](std::string_view part) {
    all += part;
    return true;
  });
  REQUIRE(response);
  CHECK(response->status == 200);
  CHECK(response->body.empty());
  CHECK(all == "much more than four bytes");
}

TEST_CASE("who has had enough ends an answer that has no end") {
  Fixture f;
  const HttpServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst"));
  int parts = 0;
  const auto response = f.take(server, [&](std::string_view) {
    ++parts;
    return false;
  });
  CHECK(response);
  CHECK(parts == 1);
}

TEST_CASE("a refusal is kept, for what it says") {
  Fixture f;
  const HttpServer server(always(test::http_answer(404, "no")));
  int parts = 0;
  const auto response = f.take(server, [&](std::string_view) { return ++parts > 0; });
  REQUIRE(response);
  CHECK(response->status == 404);
  CHECK(response->body == "no");
  CHECK(parts == 0);
}

TEST_CASE("a server that is silent for longer than it may is given up") {
  Fixture f;
  const HttpServer server([](const test::SeenRequest&) { return Reply{.bytes = "", .pace = Reply::Pace::never}; });
  const auto response = f.take(server, [](std::string_view) { return true; }, 20);
  REQUIRE_FALSE(response);
  CHECK(response.error().message.contains("Timeout"));
}

}  // namespace leger
