#include "backend/service/failure_report.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "backend/base/json.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"

namespace leger {
namespace {

using test::Daemon;
using test::run;
using test::TemporaryFolder;

std::vector<HiddenValue> values(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<HiddenValue> hidden;
  for (const auto& [name, value] : pairs) hidden.push_back({name, Secret(value)});
  return hidden;
}

// The report on web.service of an app that was deployed with the secret token = alpha.
Json report(Daemon& daemon, DeployParts parts) {
  const auto live = daemon.deployments().live("shop");
  REQUIRE(live);
  REQUIRE(*live);
  const Error error{Code::upstream_failed, "web.service is unhealthy.", "See why.", R"({"unit":"web.service"})"};
  return Json::parse(run(daemon.loop, failure_report(parts, **live, error)));
}

}  // namespace

TEST_CASE("Values are hidden wherever they stand, whole and line by line, the longer one first") {
  const auto hidden = values({{"key", "alpha"}, {"long", "alphabet"}, {"pem", "-----BEGIN\nMIIBODY\n-----END\n"}});
  CHECK(hide_values("x=alpha,alpha;", hidden) == "x=[secret key],[secret key];");
  CHECK(hide_values("alphabet", hidden) == "[secret long]");
  CHECK(hide_values("a MIIBODY b", hidden) == "a [secret pem] b");
  CHECK(hide_values("-----BEGIN\nMIIBODY\n-----END", hidden) == "[secret pem]");
  CHECK(hide_values("Alpha alph", hidden) == "Alpha alph");
  CHECK(hide_values("abc on", values({{"short", "abc"}, {"empty", "\n"}})) == "abc on");
  CHECK(hide_values("abcd", values({{"four", "abcd\n"}})) == "[secret four]");
}

TEST_CASE("A report has the unit, its last lines and its health log, shortened, without the secret") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  test::install_shop(daemon);
  daemon.machine.podman.running = {{.id = "c1",
                                    .name = "web",
                                    .image = "i",
                                    .state = "running",
                                    .unit = "web.service",
                                    .health = "unhealthy",
                                    .ports = {}}};
  daemon.machine.podman.health_logs["c1"] = {{.started = "t1", .exit_code = 0, .output = "fine"},
                                             {.started = "t2", .exit_code = 1, .output = "no alpha here\n"}};
  DeployParts parts = daemon.deploy_parts();
  JournalQuery asked;
  parts.read_journal = [&](const JournalQuery& query) {
    asked = query;
    return std::vector<std::string>{"token is alpha", std::string(5000, 'x')};
  };
  const Json told = report(daemon, parts);
  CHECK(told["code"] == "upstream_failed");
  CHECK(told["message"] == "web.service is unhealthy.");
  CHECK(told["action"] == "See why.");
  CHECK(told["unit"] == "web.service");
  CHECK(told["journal"][0] == "token is [secret token]");
  CHECK(told["journal"][1].get<std::string>().size() < 1010);
  CHECK(told["health"].size() == 2);
  CHECK(told["health"][1] == Json{{"time", "t2"}, {"exit_code", 1}, {"output", "no [secret token] here"}});
  CHECK_FALSE(told.contains("generator"));
  CHECK(asked.unit == "web.service");
  CHECK(asked.since > 1'000'000'000);
  CHECK(asked.lines == 20);
}

TEST_CASE("Of a unit that was not loaded the report has what the generator says of its file") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  test::install_shop(daemon);
  const std::string live = daemon.installer().live_path("shop");
  for (const char* name : {"web.container", "worker.container"}) {
    std::ofstream(live + "/" + name) << "[Container]\nBadKey=1\n";
  }
  DeployParts parts = daemon.deploy_parts();
  const auto row = daemon.deployments().live("shop");
  Error error{Code::upstream_failed, "Not loaded.", "", R"({"unit":"web.service","source":"web.container"})"};
  Json told = Json::parse(run(daemon.loop, failure_report(parts, **row, error)));
  REQUIRE(told["generator"].size() == 1);
  CHECK(told["generator"][0].get<std::string>().contains("unsupported key 'BadKey'"));
  error.details = R"({"unit":"absent.service","source":"absent.container"})";
  told = Json::parse(run(daemon.loop, failure_report(parts, **row, error)));
  CHECK(told["generator"].size() == 2);
}

TEST_CASE("Where a secret cannot be read, no line of the unit is told") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  test::install_shop(daemon);
  DeployParts parts = daemon.deploy_parts();
  parts.read_journal = [](const JournalQuery&) { return std::vector<std::string>{"token is alpha"}; };
  const auto live = daemon.deployments().live("shop");
  Deployment row = **live;
  row.user_uuid = "somebody-else";
  const Error error{Code::upstream_failed, "It failed.", "", R"({"unit":"web.service"})"};
  const Json told = Json::parse(run(daemon.loop, failure_report(parts, row, error)));
  CHECK(told["journal"].size() == 1);
  CHECK(told["journal"][0].get<std::string>().starts_with("Lines are left out"));
}

TEST_CASE("A failure that is no unit's asks nobody, and more can be said of a report") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  DeployParts parts = daemon.deploy_parts();
  daemon.trouble.calls.clear();
  const std::string text = run(daemon.loop, failure_report(parts, {}, {Code::unavailable, "Away.", "Wait.", {}}));
  CHECK(text == R"({"code":"unavailable","message":"Away.","action":"Wait."})");
  CHECK(daemon.trouble.calls.empty());
  CHECK(add_to_report(text, " Twice.", "Now.") == R"({"code":"unavailable","message":"Away. Twice.","action":"Now."})");
  CHECK(add_to_report("", "x") == R"({"message":"x"})");
}

}  // namespace leger
