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

constexpr const char* kDelete = "DELETE /api/releases/3";
constexpr const char* kDeleted = R"({"version":3,"deleted":true})";

void script(Harness& harness) {
  harness.api->reply("GET /api/releases/3", 200, success(R"({"version":3,"deployment_name":"hello"})"));
  harness.api->reply(kDelete, 200, success(kDeleted));
}

TEST_CASE("releases delete --force deletes the version that is named") {
  Harness harness;
  script(harness);
  const Ran ran = harness.run({"releases", "delete", "hello@3", "--force"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == "✓ Release hello v3 deleted\n");
  CHECK(harness.api->seen().back().method == "DELETE");
  CHECK(harness.run({"releases", "delete", "3", "--force", "--json"}).out == std::string(kDeleted) + "\n");
}

TEST_CASE("releases delete takes no release that happens to be the newest, and none of another app") {
  Harness harness;
  script(harness);
  for (const char* which : {"latest", "hello", "hello@latest"}) {
    const Ran ran = harness.run({"releases", "delete", which, "--force"});
    CHECK(ran.exit == 2);
    CHECK(ran.err.contains("does not say which version to delete."));
  }
  CHECK(harness.run({"releases", "delete", "@", "--force"}).exit == 2);
  CHECK(harness.run({"releases", "delete", "--force"}).exit == 2);
  CHECK(harness.api->seen().empty());
  CHECK(harness.run({"releases", "delete", "other@3", "--force"}).err.starts_with("Release 3 is of \"hello\""));
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("releases delete asks on a terminal, and goes no further without one") {
  for (const bool agrees : {true, false}) {
    Harness harness;
    script(harness);
    Terminal terminal(agrees ? "y\n" : "n\n");
    const MemoryFile out;
    Io io = harness.io;
    io.in = terminal.get();
    io.out = out.get();
    io.err = terminal.get();
    CHECK(leger::run({"releases", "delete", "3"}, io) == 0);
    CHECK(terminal.screen("[y/N]").contains("Delete release hello v3? [y/N] "));
    CHECK(out.content() == (agrees ? "✓ Release hello v3 deleted\n" : "Cancelled\n"));
    CHECK(harness.api->seen().size() == (agrees ? 2 : 1));
  }
  Harness harness;
  script(harness);
  const Ran ran = harness.run({"releases", "delete", "3"});
  CHECK(ran.exit == 2);
  CHECK(ran.err.contains("Add --force to go ahead"));
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("a release that is in use is kept, and the apps are named") {
  Harness harness;
  harness.api->reply("GET /api/releases/3", 200, success(R"({"version":3,"deployment_name":"hello"})"));
  harness.api->reply(kDelete, 409,
                     failure(R"({"code":"conflict","message":"Release 3 is in use.","details":{"apps":["hello"]}})"));
  const Ran ran = harness.run({"releases", "delete", "3", "--force"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "Release 3 is in use.\n  apps:\n    hello\n\n"
        "Deploy another release of the app, or remove it:\n  leger deploy list\n  leger deploy remove <app>\n");
}

}  // namespace
}  // namespace leger
