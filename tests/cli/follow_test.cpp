// A deployment followed by its events, as legerd sends them and as it does not.

#include <doctest/doctest.h>

#include <string>

#include "cli/event_parser.h"
#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kEvents = "GET /api/deployments/d1/events";
constexpr const char* kRow = "GET /api/deployments/d1";

std::string event(int number, const std::string& kind, const std::string& data) {
  return "id: p-" + std::to_string(number) + "\nevent: " + kind + "\ndata: " + data + "\n\n";
}

// A stream that ends with the connection.
std::string stream(const std::string& events) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + events;
}

std::string row(const std::string& state) {
  return success(R"({"id":"d1","name":"hello","version":3,"kind":"remove","state":")" + state + R"(","error":null})");
}

void accept(Harness& harness) { harness.api->reply("DELETE /api/deployments/hello", 202, success(R"({"id":"d1"})")); }

const std::string kStart =
    ":\n\n" + event(1, "state", R"({"state":"starting"})") +
    event(2, "progress", R"({"step":"starting","unit":"web.service","text":"started\u001b[2J"})");
const std::string kEnd = event(3, "state", R"({"state":"removed"})") + event(4, "end", R"({"state":"removed"})");

}  // namespace

TEST_CASE("events become lines, and the deployment is asked for once") {
  Harness harness;
  accept(harness);
  harness.api->reply_bytes(kEvents, stream(kStart + kEnd));
  harness.api->reply(kRow, 200, row("removed"));
  const Ran ran = harness.run({"deploy", "remove", "hello"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "starting…\n  web.service: started\\x1b[2J\n✓ hello removed\n  Its volumes and releases are kept.\n");
  CHECK(harness.api->seen().size() == 3);
  CHECK(harness.api->seen().at(1).headers.at("accept") == "text/event-stream");
}

TEST_CASE("a stream that breaks is taken up after the last event") {
  Harness harness;
  accept(harness);
  harness.api->reply_bytes(kEvents, stream(kStart));
  harness.api->reply_bytes(kEvents, "");
  harness.api->reply_bytes(kEvents, stream(kEnd));
  harness.api->reply(kRow, 200, row("starting"));
  harness.api->reply_bytes(kRow, "");
  harness.api->reply(kRow, 200, row("removed"));
  const Ran ran = harness.run({"deploy", "remove", "hello"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("starting…\n  web.service: started\\x1b[2J\n✓ hello removed\n"));
  const auto seen = harness.api->seen();
  CHECK_FALSE(seen.at(1).headers.contains("last-event-id"));
  CHECK(seen.at(3).headers.at("last-event-id") == "p-2");
  CHECK(seen.at(5).headers.at("last-event-id") == "p-2");
}

TEST_CASE("a legerd without events is asked for the deployment alone") {
  Harness harness;
  accept(harness);
  harness.api->reply(kEvents, 404, failure(R"({"code":"not_found","message":"Nothing."})"));
  for (const char* state : {"switching", "switching", "removed"}) harness.api->reply(kRow, 200, row(state));
  const Ran ran = harness.run({"deploy", "remove", "hello"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("switching…\n✓ hello removed\n"));
  CHECK(harness.api->seen().size() == 5);
}

TEST_CASE("on a terminal one line is written anew, and is gone at the end") {
  Harness harness;
  accept(harness);
  harness.api->reply_bytes(kEvents, stream(kStart + kEnd));
  harness.api->reply(kRow, 200, row("removed"));
  test::Terminal terminal("");
  Io io = harness.io;
  io.in = io.out = io.err = terminal.get();
  CHECK(run({"deploy", "remove", "hello"}, io) == 0);
  const std::string screen = terminal.screen("kept.");
  CHECK(screen.contains("\rstarting…\x1b[K\rstarting… web.service: started\\x1b[2J\x1b[K\r\x1b[K"));
  CHECK_FALSE(screen.contains("starting…\r\n"));
}

TEST_CASE("events are read however they are cut") {
  const std::string text =
      ": hello\r\n\r\nid: 7\r\nevent: state\r\ndata: a\r\ndata:b\r\n\r\nevent: lost\n\ndata\n\nother: x\n";
  for (const std::size_t size : {1UL, 2UL, 5UL, text.size()}) {
    EventParser parser;
    std::vector<ServerEvent> events;
    for (std::size_t at = 0; at < text.size(); at += size) {
      for (const ServerEvent& event : parser.feed(std::string_view(text).substr(at, size))) events.push_back(event);
    }
    REQUIRE(events.size() == 2);
    CHECK(events[0].id == "7");
    CHECK(events[0].kind == "state");
    CHECK(events[0].data == "a\nb");
    CHECK(events[1].id == "7");
    CHECK(events[1].kind.empty());
    CHECK(events[1].data.empty());
  }
  EventParser parser;
  CHECK(parser.feed(std::string(2 << 20, 'x')).empty());
  CHECK(parser.is_broken());
}

}  // namespace leger
