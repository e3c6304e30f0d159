#include "backend/service/deploy_events.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

constexpr std::size_t kAll = std::size_t{1} << 20;

std::vector<std::string> told(const DeployEvents& events, const std::string& deployment) {
  std::vector<std::string> lines;
  for (const DeployEvent& event : events.after(deployment, 0, kAll)) lines.push_back(event.kind + " " + event.data);
  return lines;
}

}  // namespace

TEST_CASE("Events are numbered by deployment, and what is told of a step belongs to the one that runs") {
  DeployEvents events;
  events.progress("pulling", "", "nobody's");
  events.state("a", "starting");
  events.progress("starting", "web.service", "started");
  events.state("a", "rolling_back", "web.service crashes.");
  events.end("a");
  events.progress("starting", "", "nobody's");
  events.state("b", "staging");
  CHECK(told(events, "a") ==
        std::vector<std::string>{
            R"(state {"state":"starting"})", R"(progress {"step":"starting","unit":"web.service","text":"started"})",
            R"(state {"state":"rolling_back","message":"web.service crashes."})", R"(end {"state":"rolling_back"})"});
  CHECK(events.after("b", 0, kAll).front().number == 1);
  CHECK(events.after("a", 2, kAll).front().number == 3);
  CHECK(events.has_ended("a"));
  CHECK_FALSE(events.has_ended("b"));
  events.state("a", "rolling_back");
  CHECK_FALSE(events.has_ended("a"));
}

TEST_CASE("An id is good in the process that gave it") {
  DeployEvents events;
  DeployEvents other;
  CHECK(events.number_of(events.id_of(7)) == 7);
  CHECK(events.number_of(other.id_of(7)) == 0);
  for (const char* id : {"", "7", "x-7"}) CHECK(events.number_of(id) == 0);
  CHECK(events.number_of(events.id_of(7) + "x") == 0);
}

TEST_CASE("What is kept is bounded in events, bytes and deployments, and the newest stays") {
  DeployEvents events;
  events.state("a", "pulling");
  for (int i = 0; i < 2000; ++i) events.progress("pulling", "", std::to_string(i));
  CHECK(events.after("a", 0, kAll).size() == DeployEvents::kMostEvents);
  CHECK(events.after("a", 0, kAll).back().data.contains("1999"));
  for (int i = 0; i < 500; ++i) events.progress("pulling", "", std::string(5000, 'x'));
  std::size_t bytes = 0;
  for (const DeployEvent& event : events.after("a", 0, kAll)) bytes += event.data.size();
  CHECK(bytes <= DeployEvents::kMostBytes);
  CHECK(bytes > DeployEvents::kMostBytes / 2);
  CHECK(events.after("a", 0, 2500).size() == 2);
  for (std::size_t i = 0; i < DeployEvents::kMostDeployments; ++i) events.state(std::to_string(i), "staging");
  CHECK_FALSE(events.knows("a"));
  CHECK(events.knows("0"));
}

TEST_CASE("Who watches is woken by each event, until the watch is given up") {
  DeployEvents events;
  int woken = 0;
  auto watch = events.watch([&] { ++woken; });
  const auto other = events.watch([] {});
  events.state("a", "staging");
  CHECK(woken == 1);
  watch.reset();
  events.end("a");
  CHECK(woken == 1);
}

TEST_CASE("A deployment tells its states and units in their order, and the end when the next one may start") {
  const test::TemporaryFolder folder;
  test::Daemon daemon(folder.path(), {});
  const auto row = daemon.install(daemon.upload("app", {{"web.container", "[Container]\nImage=localhost/web:1\n"}}));
  REQUIRE(row);
  daemon.loop.run_until_idle();
  CHECK(told(daemon.deployer().events(), row->id) ==
        std::vector<std::string>{
            R"(state {"state":"preflight"})", R"(state {"state":"pulling"})",
            R"(progress {"step":"pulling","unit":"localhost/web:1","text":"Trying to pull localhost/web:1"})",
            R"(state {"state":"switching"})", R"(state {"state":"starting"})",
            R"(progress {"step":"starting","unit":"web.service","text":"starting"})",
            R"(progress {"step":"starting","unit":"web.service","text":"started"})", R"(state {"state":"checking"})",
            R"(state {"state":"deployed"})", R"(end {"state":"deployed"})"});
}

}  // namespace leger
