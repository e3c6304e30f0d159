#include "backend/service/secret_users.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace leger {
namespace {

constexpr const char* kQuadlets = "/q";

GeneratedUnit generated(const std::string& name, const std::string& text) {
  return {.name = name, .source_path = "/q/app/x", .text = text};
}

Deployment app(const std::string& name, const std::vector<std::string>& units, std::uint64_t version = 1) {
  Generation generation;
  for (const std::string& unit : units) {
    generation.units.push_back({.name = unit, .source = "x.container", .image = {}, .secrets = {"token"}, .text = {}});
  }
  generation.secrets = {{"token", version}, {"unused", 4}};
  return {.id = "id-" + name, .user_uuid = "alice", .name = name, .journal = to_json(generation), .live = true};
}

// A run that makes every unit of `live`.
DryRun run_of(const std::vector<Deployment>& live) {
  DryRun run;
  for (const Deployment& row : live) {
    const auto generation = generation_from_json(row.journal);
    REQUIRE(generation);
    for (const AppUnit& unit : generation->units) run.units.push_back(generated(unit.name, ""));
  }
  return run;
}

std::vector<std::string> touched(const std::vector<Deployment>& live, const DryRun& run,
                                 const std::string& except = {}) {
  const auto users =
      users_of_change(live, run, kQuadlets, {.user_uuid = "alice", .except = except, .versions = {{"token", 2}}});
  REQUIRE(users);
  return unit_names(*users);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("What is needed comes first, through units of other kinds and across apps, and circles end") {
  DryRun run;
  run.units = {generated("a.service", "[Unit]\nAfter=network-online.target b.service\n"),
               generated("b.service", "[Unit]\nRequires=x-network.service\n"),
               generated("x-network.service", "[Unit]\nAfter=c.service\n"),
               generated("c.service", "[Unit]\nWants=a.service\n")};
  CHECK(touched({app("one", {"a.service", "b.service"}), app("two", {"c.service"})}, run) ==
        Names{"c.service", "b.service", "a.service"});
  const std::vector<Deployment> live{app("one", {"a.service"}), app("two", {"b.service"})};
  CHECK(touched(live, run_of(live)) == Names{"a.service", "b.service"});
}

TEST_CASE("Only this account's apps with another version are touched, and one may be left out") {
  Deployment foreign = app("foreign", {"f.service"});
  foreign.user_uuid = "bob";
  const std::vector<Deployment> live{app("new", {"n.service"}, 2), app("old", {"o.service"}),
                                     app("out", {"out.service"}), foreign};
  CHECK(touched(live, run_of(live), "out") == Names{"o.service"});
  const auto users = users_of_change(live, run_of(live), kQuadlets,
                                     {.user_uuid = "alice", .except = "out", .versions = {{"token", 2}}});
  REQUIRE(users);
  CHECK(users->before == std::map<std::string, std::uint64_t>{{"token", 1}});
  REQUIRE(users->moves.size() == 1);
  CHECK(users->moves.front().deployment_id == "id-old");
  CHECK(users->moves.front().secrets == std::map<std::string, std::uint64_t>{{"token", 2}});
  const auto moved = generation_from_json(users->moves.front().journal);
  REQUIRE(moved);
  CHECK(moved->secrets == std::map<std::string, std::uint64_t>{{"token", 2}, {"unused", 4}});
}

TEST_CASE("A secret that only a drop-in adds is seen in the generated unit, and one of somebody else's unit is not") {
  Deployment row = app("one", {"a.service"});
  auto generation = generation_from_json(row.journal);
  REQUIRE(generation);
  generation->units.front().secrets.clear();
  row.journal = to_json(*generation);
  DryRun run;
  run.units = {generated("a.service", "[Service]\nExecStart=podman run --secret token image\n")};
  CHECK(touched({row}, run) == Names{"a.service"});
  run.units.front().source_path = "/elsewhere/x";
  CHECK(touched({row}, run).empty());
}

TEST_CASE("A container in a pod is restarted as its pod, once, and a unit whose quadlet is gone not at all") {
  Deployment row = app("one", {"a.service", "b.service", "c.service"});
  auto generation = generation_from_json(row.journal);
  REQUIRE(generation);
  generation->units[0].pod = generation->units[1].pod = "x-pod.service";
  row.journal = to_json(*generation);
  DryRun run = run_of({row});
  CHECK(touched({row}, run) == Names{"x-pod.service", "c.service"});
  std::erase_if(run.units, [](const GeneratedUnit& unit) { return unit.name == "c.service"; });
  CHECK(touched({row}, run) == Names{"x-pod.service"});
  const auto users =
      users_of_change({row}, {}, kQuadlets, {.user_uuid = "alice", .except = {}, .versions = {{"token", 2}}});
  REQUIRE(users);
  CHECK(users->units.empty());
  CHECK(users->moves.size() == 1);
}

TEST_CASE("A journal that cannot be read is an error") {
  Deployment row = app("one", {"a.service"});
  row.journal = "{";
  CHECK_FALSE(users_of_change({row}, {}, kQuadlets, {.user_uuid = "alice", .except = {}, .versions = {{"token", 2}}}));
}

}  // namespace leger
