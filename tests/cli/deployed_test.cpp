#include <doctest/doctest.h>

#include <string>

#include "backend/base/json.h"
#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kServices =
    R"({"services":[{"name":"web","app":"hello","unit":"web.service","state":"running","health":"healthy","since":"2026-11-22T04:05:06Z","image":"localhost/web:1"},{"name":"b","app":"other","unit":"b.service","state":"failed","image":"localhost/b:1"}],"total_count":2})";
constexpr const char* kPast =
    R"({"deployments":[{"id":"d3","name":"hello","version":4,"kind":"install","state":"rolled_back","created_at":"2026-11-23T04:05:06Z","finished_at":"2026-11-23T04:05:09Z","plan":null,"error":{"code":"upstream_failed","message":"web.service crashes."}},{"id":"d2","name":"hello","version":3,"kind":"install","state":"deployed","created_at":"2026-11-22T04:05:01Z","finished_at":"2026-11-22T04:05:06Z","plan":{"secrets":[{"name":"key","version":2}]},"error":null}],"total_count":2})";

}  // namespace

TEST_CASE("deploy status tells release, units, images, secrets and the last deployment of an app") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kServices));
  harness.api->reply("GET /api/deployments?name=hello&limit=100", 200, success(kPast));
  const Ran ran = harness.run({"deploy", "status", "hello"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "hello v3, since 2026-11-22T04:05:06Z\n"
        "  web.service  running  healthy  since 2026-11-22T04:05:06Z\n"
        "  image   localhost/web:1\n"
        "  secret  key v2\n"
        "  last    install of v4: rolled_back, 2026-11-23T04:05:06Z\n");
  const Json data = Json::parse(harness.run({"deploy", "status", "hello", "--json"}).out);
  CHECK(data["apps"][0]["version"] == 3);
  CHECK(data["apps"][0]["last_deployment"]["error"]["message"] == "web.service crashes.");
  CHECK(data["apps"].size() == 1);
}

TEST_CASE("deploy status has every app, and says where there is none") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kServices));
  harness.api->reply("GET /api/deployments?name=hello&limit=100", 200, success(kPast));
  harness.api->reply("GET /api/deployments?name=other&limit=100", 200, success(R"({"deployments":[]})"));
  CHECK(harness.run({"deploy", "status"}).out.contains("other v-, since -\n  b.service  failed"));
  const Ran absent = harness.run({"deploy", "status", "third"});
  CHECK(absent.exit == 1);
  CHECK(absent.err == "No app \"third\" is deployed.\n\nSee what is:\n  leger deploy status\n");
  Harness none;
  none.api->reply("GET /api/services", 200, success(R"({"services":[],"total_count":0})"));
  CHECK(none.run({"deploy", "status"}).out == "Nothing is deployed\n\nDeploy a release with: leger deploy install\n");
}

TEST_CASE("deploy history says how each deployment ended and why") {
  Harness harness;
  harness.api->reply("GET /api/deployments?name=hello&limit=1000", 200, success(kPast));
  CHECK(harness.run({"deploy", "history", "hello"}).out ==
        "Name   Version  Kind     Started               Outcome      Why\n"
        "hello  4        install  2026-11-23T04:05:06Z  rolled_back  web.service crashes.\n"
        "hello  3        install  2026-11-22T04:05:01Z  deployed\n");
  CHECK(Json::parse(harness.run({"deploy", "history", "hello", "--json"}).out)["deployments"].size() == 2);
}

TEST_CASE("deploy history goes on until there is no more") {
  Harness harness;
  std::string page;
  for (int i = 0; i < 1000; ++i) page += (i == 0 ? "" : ",") + (R"({"id":"a)" + std::to_string(i) + R"("})");
  harness.api->reply("GET /api/deployments?limit=1000", 200,
                     success(R"({"deployments":[)" + page + R"(],"total_count":1001})"));
  harness.api->reply("GET /api/deployments?limit=1000&before=a999", 200,
                     success(R"({"deployments":[{"id":"last"}],"total_count":1001})"));
  const Json data = Json::parse(harness.run({"deploy", "history", "--json"}).out);
  CHECK(data["deployments"].size() == 1001);
  CHECK(data["deployments"].back()["id"] == "last");
}

TEST_CASE("deploy list is of one app where it is named") {
  Harness harness;
  harness.api->reply("GET /api/deployments?name=hello", 200, success(kPast));
  CHECK(harness.run({"deploy", "list", "--name", "hello"}).out.contains("\nTotal: 2 deployments\n"));
}

}  // namespace leger
