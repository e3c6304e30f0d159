#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Harness;
using test::Ran;
using test::success;

TEST_CASE("status is a line a unit, and a failed one is no failure of leger") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(R"({"services":[
    {"name":"hello","app":"hello","unit":"hello.service","state":"active","health":"healthy","since":"2026-11-22T04:05:06Z"},
    {"name":"db","app":"hello","unit":"db.service","state":"failed","health":null,"since":null},
    {"name":"job","app":"hello","unit":"job.service","state":"inactive"},
    {"name":"worker","app":"hello","state":"stopped"}],"total_count":4})"));
  const Ran ran = harness.run({"status"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "hello.service  running  healthy  since 2026-11-22T04:05:06Z\n"
        "db.service     failed   -\n"
        "job.service    stopped  -\n"
        "worker         stopped  -\n");
}

TEST_CASE("status without a deployment says how to make one") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(R"({"services":[],"total_count":0})"));
  const Ran ran = harness.run({"status"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "Nothing is deployed\n\nDeploy a release with: leger deploy install\n");
  CHECK(harness.run({"status", "--json"}).out == "{\"services\":[],\"total_count\":0}\n");
}

TEST_CASE("what a server sends cannot steer the terminal") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(R"({"services":[
    {"unit":"a\u001b]0;x\u0007","state":"running\nforged","health":"\u202ehealthy","since":"\u009b1m"}]})"));
  CHECK(harness.run({"status"}).out ==
        "a\\x1b]0;x\\x07  running\\x0aforged  \\xe2\\x80\\xaehealthy  since \\xc2\\x9b1m\n");
  const Ran ran = harness.run({"status", "--json"});
  CHECK(ran.out.contains(R"(\u202e)"));
  CHECK(ran.out.find_first_not_of(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
                                  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
        ran.out.size() - 1);
}

}  // namespace
}  // namespace leger
