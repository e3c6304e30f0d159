#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::success;
using test::Terminal;

constexpr const char* kOneService = R"({"services":[{"name":"hello","app":"hello"}]})";
constexpr const char* kTwoServices = R"({"services":[{"name":"a","app":"hello"},{"name":"b","app":"other"}]})";

std::string rollback(const std::string& state, const std::string& error = "null") {
  return success(R"({"id":"d1","name":"hello","version":2,"kind":"rollback","state":")" + state + R"(","error":)" +
                 error + "}");
}

TEST_CASE("deploy rollback goes back to what the only app ran with, and says which release that is") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kOneService));
  harness.api->reply("POST /api/deployments/hello/rollback", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/deployments/d1", 200, rollback("deployed"));
  const Ran ran = harness.run({"deploy", "rollback", "--yes"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "✓ hello is back at v2\n"
        "  What it wrote into its volumes meanwhile stays. Forward again: leger deploy rollback hello\n");
}

TEST_CASE("deploy rollback asks first, and nothing is sent where nobody can answer") {
  Harness harness;
  const Ran ran = harness.run({"deploy", "rollback", "hello"});
  CHECK(ran.exit == 2);
  CHECK(ran.err.contains("--yes"));
  CHECK(harness.api->seen().empty());
}

TEST_CASE("a no to what a deploy command asks is exit 1: nothing was done") {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"deploy", "rollback", "hello"}, Words{"deploy", "remove", "hello", "--volumes"}}) {
    CAPTURE(words[1]);
    Harness harness;
    Terminal terminal("n\n");
    const MemoryFile out;
    Io io = harness.io;
    io.in = terminal.get();
    io.out = out.get();
    io.err = terminal.get();
    CHECK(leger::run(words, io) == 1);
    CHECK(terminal.screen("nothing was done").contains("[y/N]"));
    CHECK(out.content().empty());
    CHECK(harness.api->seen().empty());
  }
}

TEST_CASE("deploy rollback without a name does not choose among apps") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kTwoServices));
  const Ran ran = harness.run({"deploy", "rollback", "--yes"});
  CHECK(ran.exit == 2);
  CHECK(ran.err.contains("leger deploy rollback hello"));
}

TEST_CASE("a rollback that fails is told with its report and exit 1") {
  Harness harness;
  harness.api->reply("POST /api/deployments/hello/rollback", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/deployments/d1", 200,
                     rollback("rolled_back", R"({"code":"upstream_failed","message":"hello.service failed."})"));
  const Ran failed = harness.run({"deploy", "rollback", "hello", "-y"});
  CHECK(failed.exit == 1);
  CHECK(failed.err.contains("hello.service failed."));
  Harness none;
  none.api->reply("POST /api/deployments/hello/rollback", 409,
                  failure(R"({"code":"conflict","message":"There is nothing before it."})"));
  const Ran refused = none.run({"deploy", "rollback", "hello", "-y"});
  CHECK(refused.exit == 1);
  CHECK(refused.err == "There is nothing before it.\n");
}

}  // namespace
}  // namespace leger
