#include "systemd/bus.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support.h"
#include "tests/systemd/fake_peer.h"

namespace leger {
namespace {

using test::FakePeer;
using test::run;

constexpr std::uint64_t kLongMs = 20'000;
constexpr const char* kJobRemoved =
    "type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

Result<Bus::Message> made(Bus& bus, const std::string& member) {
  const auto connection = bus.connection();
  if (!connection) return Fail(connection.error());
  sd_bus_message* message = nullptr;
  const int outcome =
      sd_bus_message_new_method_call(*connection, &message, "org.example", "/", "org.example.Test", member.c_str());
  if (outcome < 0) return Fail(system_error("message", -outcome));
  return Bus::Message(message, sd_bus_message_unref);
}

Task<Result<Bus::Message>> ask(Bus& bus, std::string member, std::uint64_t timeout_ms) {
  auto message = made(bus, member);
  if (!message) co_return Fail(message.error());
  Result<Bus::Message> answer = co_await bus.call(*message, timeout_ms);
  co_return answer;
}

std::string text_of(const Result<Bus::Message>& answer) {
  const char* text = "";
  if (!answer) return "error: " + answer.error().message;
  sd_bus_message_read(answer->get(), "s", &text);
  return text;
}

struct Fixture {
  explicit Fixture(FakePeer::Greeting greeting = FakePeer::Greeting::polite) : peer(greeting) {
    peer.on("Ping", [](FakePeer& by, sd_bus_message* call) { by.answer_text(call, "pong"); });
    peer.on("Mute", [](FakePeer&, sd_bus_message*) {});
    peer.on("HangUp", [](FakePeer& by, sd_bus_message*) { by.hang_up(); });
  }
  std::string ping() { return text_of(run(loop, ask(bus, "Ping", kLongMs))); }

  FakePeer peer;
  SystemClock clock;
  Loop loop{clock};
  Bus bus{loop, peer.address()};
};

TEST_CASE("a call gives the answer, on one connection for all") {
  Fixture f;
  CHECK(f.bus.connections_made() == 0);
  CHECK(f.ping() == "pong");
  CHECK(f.ping() == "pong");
  CHECK(f.bus.connections_made() == 1);
}

TEST_CASE("an error of the peer is upstream_failed with its name, its text cannot steer a terminal") {
  Fixture f;
  f.peer.on("Refuse",
            [](FakePeer& by, sd_bus_message* call) { by.refuse(call, "org.example.No", "not \x1b[2J now\n"); });
  const auto answer = run(f.loop, ask(f.bus, "Refuse", kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
  CHECK(answer.error().details == R"({"dbus":"org.example.No"})");
  CHECK(answer.error().message.find("not \\x1b[2J now\\x0a") != std::string::npos);
  CHECK(f.ping() == "pong");
}

TEST_CASE("a call without an answer ends at its deadline and leaves the connection to others") {
  Fixture f;
  const auto answer = run(f.loop, ask(f.bus, "Mute", 50));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
  CHECK(answer.error().message.find("within 50 ms") != std::string::npos);
  CHECK(f.ping() == "pong");
  CHECK(f.bus.connections_made() == 1);
}

TEST_CASE("an answer after the deadline is dropped") {
  Fixture f;
  f.peer.on("Late", [](FakePeer& by, sd_bus_message* call) {
    sd_bus_message_ref(call);
    by.later(std::chrono::milliseconds(60), [&by, call] {
      by.answer_text(call, "late");
      sd_bus_message_unref(call);
    });
  });
  CHECK(!run(f.loop, ask(f.bus, "Late", 20)));
  const auto waited = run(f.loop, ask(f.bus, "Mute", 100));
  CHECK(!waited);
  CHECK(f.ping() == "pong");
}

TEST_CASE("a peer that is silent in the handshake is given up at the deadline, the next call connects anew") {
  Fixture f(FakePeer::Greeting::silent);
  int lost = 0;
  f.bus.when_lost([&lost] { ++lost; });
  CHECK(!run(f.loop, ask(f.bus, "Ping", 50)));
  CHECK(lost == 1);
  CHECK(!run(f.loop, ask(f.bus, "Ping", 50)));
  CHECK(f.bus.connections_made() == 2);
}

TEST_CASE("a connection that is lost fails the calls under way at once, the next call connects anew") {
  Fixture f;
  int lost = 0;
  f.bus.when_lost([&lost] { ++lost; });
  const auto answer = run(f.loop, ask(f.bus, "HangUp", kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
  CHECK(f.ping() == "pong");
  CHECK(lost == 1);
  CHECK(f.bus.connections_made() == 2);
}

TEST_CASE("bytes that are not D-Bus end the connection, not the daemon") {
  Fixture f;
  f.peer.on("Garbage", [](FakePeer& by, sd_bus_message*) { by.send_garbage(); });
  const auto answer = run(f.loop, ask(f.bus, "Garbage", kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
  CHECK(f.ping() == "pong");
}

TEST_CASE("where there is no bus the error says how to get one") {
  const SystemClock clock;
  Loop loop(clock);
  const test::TemporaryFolder folder;
  Bus bus(loop, "unix:path=" + folder / "absent");
  const auto answer = run(loop, ask(bus, "Ping", kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::unavailable);
  CHECK(answer.error().action.find("loginctl enable-linger") != std::string::npos);
  CHECK(bus.connections_made() == 0);
}

TEST_CASE("signals reach their subscriber, also one that subscribed before the connection was lost and made again") {
  Fixture f;
  std::vector<std::string> seen;
  f.bus.subscribe(kJobRemoved, [&seen](sd_bus_message* signal) {
    const char* path = "";
    sd_bus_message_skip(signal, "u");
    sd_bus_message_read(signal, "o", &path);
    seen.emplace_back(path);
  });
  f.peer.on("Signal", [](FakePeer& by, sd_bus_message* call) {
    by.job_removed("/job/1", "a.service", "done");
    by.answer(call);
  });
  CHECK(run(f.loop, ask(f.bus, "Signal", kLongMs)));
  CHECK(seen == std::vector<std::string>{"/job/1"});
  CHECK(!run(f.loop, ask(f.bus, "HangUp", kLongMs)));
  CHECK(run(f.loop, ask(f.bus, "Signal", kLongMs)));
  CHECK(seen == std::vector<std::string>{"/job/1", "/job/1"});
}

TEST_CASE("a subscription on a connection that is there works as well") {
  Fixture f;
  CHECK(f.ping() == "pong");
  int seen = 0;
  f.bus.subscribe(kJobRemoved, [&seen](sd_bus_message*) { ++seen; });
  f.peer.on("Signals", [](FakePeer& by, sd_bus_message* call) {
    for (int i = 0; i < 1000; ++i) by.job_removed("/job/1", "a.service", "done");
    by.answer(call);
  });
  CHECK(run(f.loop, ask(f.bus, "Signals", kLongMs)));
  CHECK(seen == 1000);
}

TEST_CASE("a match rule that is none fails the connection") {
  Fixture f;
  f.bus.subscribe("this is no rule", [](sd_bus_message*) {});
  CHECK(!f.bus.connection());
  CHECK(f.bus.connections_made() == 0);
}

TEST_CASE("a match rule that the bus refuses ends the connection: nobody waits for signals that do not come") {
  Fixture f;
  f.peer.on("AddMatch", [](FakePeer& by, sd_bus_message* call) { by.refuse(call, "org.example.Limit", "too many"); });
  f.bus.subscribe(kJobRemoved, [](sd_bus_message*) {});
  const auto answer = run(f.loop, ask(f.bus, "Mute", kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
}

Task<void> ask_into(Bus& bus, std::string member, std::string& outcome) {
  const auto answer = co_await ask(bus, std::move(member), kLongMs);
  outcome = answer ? "answer" : answer.error().message;
}

TEST_CASE("a call under way when the bus is destroyed fails") {
  const FakePeer peer;
  const SystemClock clock;
  Loop loop(clock);
  auto bus = std::make_unique<Bus>(loop, peer.address());
  std::string outcome;
  loop.spawn(ask_into(*bus, "Mute", outcome), [](std::exception_ptr) { FAIL("thrown"); });
  CHECK(outcome.empty());
  bus.reset();
  loop.run_until_idle();
  CHECK(outcome.find("was lost") != std::string::npos);
}

TEST_CASE("a message of a connection that is gone is not sent on the next one") {
  Fixture f;
  const auto old = made(f.bus, "Ping");
  REQUIRE(old);
  CHECK(!run(f.loop, ask(f.bus, "HangUp", kLongMs)));
  REQUIRE(f.bus.connection());
  const auto answer = run(f.loop, f.bus.call(*old, kLongMs));
  REQUIRE(!answer);
  CHECK(answer.error().code == Code::upstream_failed);
}

TEST_CASE("a hundred calls at once each get their own answer") {
  Fixture f;
  f.peer.on("Fail", [](FakePeer& by, sd_bus_message* call) { by.refuse(call, "org.example.No", "no"); });
  std::vector<std::string> outcomes(100);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    f.loop.spawn(ask_into(f.bus, i % 2 == 0 ? "Ping" : "Fail", outcomes[i]),
                 [](std::exception_ptr) { FAIL("thrown"); });
  }
  f.loop.run_until_idle();
  for (std::size_t i = 0; i < outcomes.size(); ++i) CHECK((outcomes[i] == "answer") == (i % 2 == 0));
}

}  // namespace
}  // namespace leger
