#include "systemd/systemd_units.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/support.h"
#include "tests/systemd/fake_peer.h"

namespace leger {
namespace {

using test::FakePeer;
using test::job_that_ends;
using test::run;

constexpr std::uint64_t kLongMs = 20'000;
constexpr const char* kJob = "/org/freedesktop/systemd1/job/1";
constexpr const char* kOtherJob = "/org/freedesktop/systemd1/job/2";
constexpr const char* kNoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";

template <class ClockType>
struct FixtureOn {
  FakePeer peer;
  ClockType clock;
  Loop loop{clock};
  Bus bus{loop, peer.address()};
  SystemdUnits units{loop, bus};

  // What systemd was asked, without the greetings of D-Bus.
  std::vector<std::string> asked() const {
    auto calls = peer.calls();
    std::erase_if(calls, [](const std::string& call) { return call == "Hello" || call.starts_with("AddMatch"); });
    return calls;
  }
};
using Fixture = FixtureOn<SystemClock>;
using Lines = std::vector<std::string>;

std::string outcome(const Result<std::string>& result) {
  return result ? *result : std::string(name_of(result.error().code)) + ": " + result.error().message;
}

FakePeer::Handler refuses(const char* name, const char* text) {
  return [name, text](FakePeer& peer, sd_bus_message* call) { peer.refuse(call, name, text); };
}

TEST_CASE("start, stop and restart queue a replacing job and give its result") {
  Fixture f;
  f.peer.on("StartUnit", job_that_ends("done"));
  f.peer.on("StopUnit", job_that_ends("canceled"));
  f.peer.on("RestartUnit", job_that_ends("failed"));
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))) == "done");
  CHECK(outcome(run(f.loop, f.units.stop("a.service", kLongMs))) == "canceled");
  CHECK(outcome(run(f.loop, f.units.restart("a.service", kLongMs))) == "failed");
  CHECK(f.asked() == Lines{"Subscribe", "StartUnit a.service replace", "StopUnit a.service replace",
                           "RestartUnit a.service replace"});
}

TEST_CASE("a job that ends before its path was answered") {
  Fixture f;
  f.peer.on("StartUnit", [](FakePeer& peer, sd_bus_message* call) {
    peer.job_removed(kJob, "a.service", "done");
    peer.answer_path(call, kJob);
  });
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))) == "done");
}

TEST_CASE("jobs of others are not taken for ours, whenever they end") {
  Fixture f;
  f.peer.on("StartUnit", [](FakePeer& peer, sd_bus_message* call) {
    peer.job_removed(kOtherJob, "a.service", "failed");
    peer.answer_path(call, kJob);
    peer.job_removed(kOtherJob, "b.service", "dependency");
    peer.later(std::chrono::milliseconds(30), [&peer] { peer.job_removed(kJob, "a.service", "done"); });
  });
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))) == "done");
}

TEST_CASE("a unit that systemd does not know is service_not_found") {
  Fixture f;
  f.peer.on("StartUnit", refuses(kNoSuchUnit, "Unit a.service not found."));
  const auto result = run(f.loop, f.units.start("a.service", kLongMs));
  REQUIRE(!result);
  CHECK(result.error().code == Code::service_not_found);
  CHECK(result.error().message.find("a.service") != std::string::npos);
}

TEST_CASE("another refusal is upstream_failed with systemd's words and the unit") {
  Fixture f;
  f.peer.on("StartUnit", refuses("org.freedesktop.systemd1.UnitMasked", "Unit a.service is masked."));
  const auto result = run(f.loop, f.units.start("a.service", kLongMs));
  REQUIRE(!result);
  CHECK(result.error().code == Code::upstream_failed);
  CHECK(result.error().message.find("Unit a.service: ") == 0);
  CHECK(result.error().message.find("is masked") != std::string::npos);
  CHECK(result.error().action == "See what systemctl --user status a.service says.");
}

TEST_CASE("a job that does not end is upstream_failed at the deadline") {
  Fixture f;
  f.peer.on("StartUnit", [](FakePeer& peer, sd_bus_message* call) { peer.answer_path(call, kJob); });
  CHECK(outcome(run(f.loop, f.units.start("a.service", 50))) ==
        "upstream_failed: Unit a.service: the job has not ended within 50 ms.");
}

TEST_CASE("a connection lost while a job is awaited does not wait for the deadline") {
  Fixture f;
  f.peer.on("StartUnit", [](FakePeer& peer, sd_bus_message* call) {
    peer.answer_path(call, kJob);
    peer.later(std::chrono::milliseconds(30), [&peer] { peer.hang_up(); });
  });
  const auto result = run(f.loop, f.units.start("a.service", kLongMs));
  REQUIRE(!result);
  CHECK(result.error().code == Code::upstream_failed);
  CHECK(result.error().message.find("was lost") != std::string::npos);
}

TEST_CASE("each connection is subscribed once") {
  Fixture f;
  f.peer.on("StartUnit", job_that_ends("done"));
  f.peer.on("Reload", [](FakePeer& peer, sd_bus_message*) { peer.hang_up(); });
  CHECK(run(f.loop, f.units.start("a.service", kLongMs)));
  CHECK(run(f.loop, f.units.start("a.service", kLongMs)));
  CHECK(!run(f.loop, f.units.reload()));
  CHECK(run(f.loop, f.units.start("a.service", kLongMs)));
  CHECK(std::ranges::count(f.asked(), "Subscribe") == 2);
}

TEST_CASE("a subscription that is there already is fine, another refusal is not") {
  Fixture f;
  f.peer.on("StartUnit", job_that_ends("done"));
  f.peer.on("Subscribe", refuses("org.freedesktop.DBus.Error.AccessDenied", "no"));
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))).starts_with("upstream_failed: Unit a.service: "));
  f.peer.on("Subscribe", refuses("org.freedesktop.systemd1.AlreadySubscribed", "already"));
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))) == "done");
}

TEST_CASE("names that no unit can have do not go on the bus") {
  Fixture f;
  for (const std::string& name :
       {std::string(), std::string("a"), std::string(".service"), std::string("a b.service"),
        std::string("a\n.service"), std::string("../a.service"), std::string("a.conf"), std::string("a\0.service", 10),
        std::string("\xc3\xa4.service"), std::string(248, 'a') + ".service"}) {
    CHECK(outcome(run(f.loop, f.units.start(name, kLongMs))).starts_with("service_not_found: "));
    CHECK(!run(f.loop, f.units.state(name)));
    CHECK(!run(f.loop, f.units.reset_failed(name)));
  }
  CHECK(f.asked().empty());
}

TEST_CASE("names up to 255 bytes of systemd's characters are asked for") {
  Fixture f;
  f.peer.on("StopUnit", job_that_ends("done"));
  for (const std::string& name : {std::string(247, 'a') + ".service", std::string("a@b:c-d_e\\x2d.f.socket")}) {
    CHECK(outcome(run(f.loop, f.units.stop(name, kLongMs))) == "done");
  }
}

TEST_CASE("an answer of another shape is an error") {
  Fixture f;
  const auto text = [](FakePeer& peer, sd_bus_message* call) { peer.answer_text(call, "odd"); };
  for (const char* member : {"StartUnit", "LoadUnit", "ListUnitFiles"}) f.peer.on(member, text);
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))).starts_with("upstream_failed: "));
  const auto state = run(f.loop, f.units.state("a.service"));
  CHECK((!state && state.error().code == Code::upstream_failed));
  const auto files = run(f.loop, f.units.unit_files());
  CHECK((!files && files.error().code == Code::upstream_failed));
}

Task<void> reload_into(SystemdUnits& units, std::string name, Lines& finished) {
  const auto result = co_await units.reload();
  finished.push_back(name + (result ? " ok" : " failed"));
}

TEST_CASE("a reload waits for the one before it") {
  Fixture f;
  int under_way = 0;
  int most = 0;
  f.peer.on("Reload", [&](FakePeer& peer, sd_bus_message* call) {
    most = std::max(most, ++under_way);
    sd_bus_message_ref(call);
    peer.later(std::chrono::milliseconds(30), [&, call] {
      --under_way;
      peer.answer(call);
      sd_bus_message_unref(call);
    });
  });
  Lines finished;
  for (const char* name : {"a", "b", "c"}) f.loop.spawn(reload_into(f.units, name, finished), {});
  f.loop.run_until_idle();
  CHECK(finished == Lines{"a ok", "b ok", "c ok"});
  CHECK(most == 1);
  CHECK(f.asked() == Lines{"Reload", "Reload", "Reload"});
}

TEST_CASE("a reload that failed lets the next one go") {
  Fixture f;
  f.peer.on("Reload", refuses("org.freedesktop.DBus.Error.Failed", "no"));
  Lines finished;
  for (const char* name : {"a", "b"}) f.loop.spawn(reload_into(f.units, name, finished), {});
  f.loop.run_until_idle();
  CHECK(finished == Lines{"a failed", "b failed"});
  CHECK(f.asked().size() == 2);
}

TEST_CASE("reloads give up after 90 s, waiting ones too, and leave no lock behind") {
  FixtureOn<test::FakeClock> f;
  f.peer.on("Reload", [](FakePeer&, sd_bus_message*) {});
  Lines finished;
  for (const char* name : {"a", "b"}) f.loop.spawn(reload_into(f.units, name, finished), {});
  while (f.asked().empty()) uv_run(f.loop.uv(), UV_RUN_NOWAIT);
  f.clock.advance(89'999);
  f.loop.timers().run_due();
  uv_run(f.loop.uv(), UV_RUN_NOWAIT);
  CHECK(finished.empty());
  f.clock.advance(1);
  f.loop.timers().run_due();
  f.loop.run_until_idle();
  CHECK(finished == Lines{"a failed", "b failed"});
  f.peer.on("Reload", [](FakePeer& peer, sd_bus_message* call) { peer.answer(call); });
  CHECK(run(f.loop, f.units.reload()));
}

// Answers GetAll of the Unit and the Service interface as systemd does, with properties that nobody asked for.
void answer_properties(FakePeer& peer, sd_bus_message* call, const char* active_state) {
  const char* interface = "";
  sd_bus_message_read(call, "s", &interface);
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  if (std::string(interface).ends_with(".Unit")) {
    sd_bus_message_append(reply, "a{sv}", 7, "Id", "s", "a.service", "Names", "as", 2, "a.service", "b.service",
                          "LoadState", "s", "loaded", "ActiveState", "s", active_state, "SubState", "s", "running",
                          "SourcePath", "s", "/q/a.container", "ActiveEnterTimestamp", "t",
                          std::uint64_t{1'790'000'000'999'999});
  } else {
    sd_bus_message_append(reply, "a{sv}", 3, "NRestarts", "u", 3U, "ExecStart", "a(sb)", 1, "/bin/a", 1, "Result", "s",
                          "success");
  }
  sd_bus_send(peer.bus(), reply, nullptr);
  sd_bus_message_unref(reply);
}

void answer_load_unit(FakePeer& peer, sd_bus_message* call) {
  peer.answer_path(call, "/org/freedesktop/systemd1/unit/a_2eservice");
}

TEST_CASE("the state of a service") {
  Fixture f;
  f.peer.on("LoadUnit", answer_load_unit);
  f.peer.on("GetAll", [](FakePeer& peer, sd_bus_message* call) { answer_properties(peer, call, "active"); });
  const auto state = run(f.loop, f.units.state("a.service"));
  REQUIRE(state);
  CHECK(state->name == "a.service");
  CHECK(state->load_state == "loaded");
  CHECK(state->active_state == "active");
  CHECK(state->sub_state == "running");
  CHECK(state->source_path == "/q/a.container");
  CHECK(state->result == "success");
  CHECK(state->restarts == 3);
  CHECK(state->active_since == 1'790'000'000);
}

TEST_CASE("a unit that is not active has no time since when it is") {
  Fixture f;
  f.peer.on("LoadUnit", answer_load_unit);
  f.peer.on("GetAll", [](FakePeer& peer, sd_bus_message* call) { answer_properties(peer, call, "failed"); });
  const auto state = run(f.loop, f.units.state("a.service"));
  REQUIRE(state);
  CHECK(state->active_state == "failed");
  CHECK(state->active_since == std::nullopt);
}

TEST_CASE("only services are asked for what services have") {
  Fixture f;
  f.peer.on("LoadUnit", answer_load_unit);
  f.peer.on("GetAll", [](FakePeer& peer, sd_bus_message* call) { answer_properties(peer, call, "active"); });
  CHECK(run(f.loop, f.units.state("a.socket")));
  CHECK(f.asked() == Lines{"LoadUnit a.socket", "GetAll org.freedesktop.systemd1.Unit"});
}

TEST_CASE("a property of another type is an error") {
  Fixture f;
  f.peer.on("LoadUnit", answer_load_unit);
  f.peer.on("GetAll", [](FakePeer& peer, sd_bus_message* call) {
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(call, &reply);
    sd_bus_message_append(reply, "a{sv}", 1, "ActiveState", "u", 1U);
    sd_bus_send(peer.bus(), reply, nullptr);
    sd_bus_message_unref(reply);
  });
  const auto state = run(f.loop, f.units.state("a.service"));
  REQUIRE(!state);
  CHECK(state.error().code == Code::upstream_failed);
}

TEST_CASE("a connection lost between two questions about a state is an error") {
  Fixture f;
  f.peer.on("LoadUnit", answer_load_unit);
  f.peer.on("GetAll", [](FakePeer& peer, sd_bus_message*) { peer.hang_up(); });
  CHECK(!run(f.loop, f.units.state("a.service")));
}

TEST_CASE("unit files are given by their base names") {
  Fixture f;
  f.peer.on("ListUnitFiles", [](FakePeer& peer, sd_bus_message* call) {
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(call, &reply);
    sd_bus_message_append(reply, "a(ss)", 3, "/usr/lib/systemd/user/default.target", "static", "/run/a.service",
                          "generated", "bare.service", "enabled");
    sd_bus_send(peer.bus(), reply, nullptr);
    sd_bus_message_unref(reply);
  });
  const auto files = run(f.loop, f.units.unit_files());
  REQUIRE(files);
  CHECK(*files == Lines{"default.target", "a.service", "bare.service"});
}

TEST_CASE("instances are asked for by the template's name, taken literally") {
  Fixture f;
  std::string pattern;
  f.peer.on("ListUnitsByPatterns", [&pattern](FakePeer& peer, sd_bus_message* call) {
    const char* asked = "";
    sd_bus_message_skip(call, "as");
    sd_bus_message_read(call, "as", 1, &asked);
    pattern = asked;
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(call, &reply);
    sd_bus_message_append(reply, "a(ssssssouso)", 2, "job@one.service", "", "loaded", "active", "running", "", "/a", 0,
                          "", "/", "job@two.service", "", "loaded", "failed", "failed", "", "/b", 0, "", "/");
    sd_bus_send(peer.bus(), reply, nullptr);
    sd_bus_message_unref(reply);
  });
  const auto instances = run(f.loop, f.units.instances("job\\x2d@.service"));
  REQUIRE(instances);
  CHECK(*instances == Lines{"job@one.service", "job@two.service"});
  CHECK(pattern == "job\\x2d@?*.service");
  const auto none = run(f.loop, f.units.instances("job*@.service"));
  CHECK((!none && none.error().code == Code::service_not_found));
  f.peer.on("ListUnitsByPatterns", [](FakePeer& peer, sd_bus_message* call) { peer.answer_text(call, "no"); });
  const auto garbled = run(f.loop, f.units.instances("job@.service"));
  CHECK((!garbled && garbled.error().message.contains("ListUnitsByPatterns")));
}

TEST_CASE("a unit that is not loaded has no failed state to forget") {
  Fixture f;
  f.peer.on("ResetFailedUnit", refuses(kNoSuchUnit, "Unit a.service not loaded."));
  CHECK(run(f.loop, f.units.reset_failed("a.service")));
  f.peer.on("ResetFailedUnit", [](FakePeer& peer, sd_bus_message* call) { peer.answer(call); });
  CHECK(run(f.loop, f.units.reset_failed("a.service")));
  f.peer.on("ResetFailedUnit", refuses("org.freedesktop.DBus.Error.AccessDenied", "no"));
  CHECK(!run(f.loop, f.units.reset_failed("a.service")));
}

TEST_CASE("without a bus every question is unavailable") {
  const SystemClock clock;
  Loop loop(clock);
  Bus bus(loop, "unix:path=/nonexistent/bus");
  SystemdUnits units(loop, bus);
  CHECK(outcome(run(loop, units.start("a.service", kLongMs))).starts_with("unavailable: "));
  const auto reloaded = run(loop, units.reload());
  CHECK((!reloaded && reloaded.error().code == Code::unavailable));
  const auto files = run(loop, units.unit_files());
  CHECK((!files && files.error().code == Code::unavailable));
}

TEST_CASE("signals that come after the units object is gone harm nothing") {
  Fixture f;
  f.peer.on("StartUnit", job_that_ends("done"));
  {
    SystemdUnits gone(f.loop, f.bus);
    CHECK(outcome(run(f.loop, gone.start("a.service", kLongMs))) == "done");
  }
  CHECK(outcome(run(f.loop, f.units.start("a.service", kLongMs))) == "done");
}

}  // namespace
}  // namespace leger
