#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kRelease = R"({"version":3,"deployment_name":"hello"})";
constexpr const char* kPlan =
    R"({"plan_id":"p1","units":[{"name":"hello.service","change":"added","reasons":[]}],"restart":["hello.service"],"findings":[],"images":[],"ports":[],"secrets":[],"volumes":[]})";
constexpr const char* kServices =
    R"({"services":[{"name":"hello","app":"hello","unit":"hello.service","state":"running","health":"healthy","since":"2026-11-22T04:05:06Z","ports":["127.0.0.1:8080->80/tcp"]},{"name":"other","app":"other","unit":"other.service","state":"running","ports":["127.0.0.1:1->1/tcp"]}],"total_count":2})";
constexpr const char* kOneService = R"({"services":[{"name":"hello","app":"hello"},{"name":"data","app":"hello"}]})";

std::string deployment(const std::string& state, const std::string& error = "null",
                       const std::string& kind = "install") {
  return success(R"({"id":"d1","name":"hello","version":3,"kind":")" + kind + R"(","state":")" + state +
                 R"(","created_at":"2026-11-22T04:05:06Z","finished_at":null,"plan":null,"error":)" + error + "}");
}

// A harness whose legerd accepts the install of version 3 as d1.
void accept(Harness& harness) {
  harness.api->reply("GET /api/releases/latest", 200, success(kRelease));
  harness.api->reply("GET /api/releases/3", 200, success(kRelease));
  harness.api->reply("POST /api/deployments/plan", 200, success(kPlan));
  harness.api->reply("POST /api/deployments", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/services", 200, success(kServices));
}

TEST_CASE("deploy install prints each new state once and the ports of the app") {
  Harness harness;
  accept(harness);
  for (const char* state : {"staging", "staging", "starting", "checking", "deployed"}) {
    harness.api->reply("GET /api/deployments/d1", 200, deployment(state));
  }
  const Ran ran = harness.run({"deploy", "install", "latest"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "hello v3: 1 added; starts hello.service\n"
        "staging…\nstarting…\nchecking…\n"
        "✓ hello v3 deployed\n"
        "  hello: 127.0.0.1:8080->80/tcp\n");
  CHECK(harness.api->seen().at(1).body == R"({"version":3})");
  CHECK(harness.api->seen().at(2).body == R"({"plan_id":"p1","accept_flags":[]})");
}

TEST_CASE("deploy install --json prints the ended deployment alone") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 200, deployment("staging"));
  harness.api->reply("GET /api/deployments/d1", 200, deployment("deployed"));
  const Ran ran = harness.run({"deploy", "install", "--json"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == R"({"id":"d1","name":"hello","version":3,"kind":"install","state":"deployed",)"
                   R"("created_at":"2026-11-22T04:05:06Z","finished_at":null,"plan":null,"error":null})"
                   "\n");
}

TEST_CASE("a release is named by version, latest, app, or app and version") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 200, deployment("deployed"));
  harness.api->reply("GET /api/releases/latest?name=hello", 200, success(kRelease));
  struct Line {
    std::string argument;
    std::string asked;
  };
  for (const Line& line : std::vector<Line>{{"latest", "/api/releases/latest"},
                                            {"3", "/api/releases/3"},
                                            {"hello", "/api/releases/latest?name=hello"},
                                            {"hello@latest", "/api/releases/latest?name=hello"},
                                            {"hello@3", "/api/releases/3"}}) {
    CAPTURE(line.argument);
    const std::size_t before = harness.api->seen().size();
    CHECK(harness.run({"deploy", "install", line.argument}).exit == 0);
    CHECK(harness.api->seen().at(before).target == line.asked);
  }
  const Ran other = harness.run({"deploy", "install", "other@3"});
  CHECK(other.exit == 1);
  CHECK(other.err ==
        "Release 3 is of \"hello\", not of \"other\".\n\n"
        "List the releases of the app:\n  leger releases list --name other\n");
}

TEST_CASE("what names no release is a usage error") {
  Harness harness;
  for (const char* argument : {"", "@3", "hello@", "hello@x", "hello@0", "0", "99999999999999999999", "a@b@1"}) {
    CAPTURE(argument);
    const Ran ran = harness.run({"deploy", "install", argument});
    CHECK(ran.exit == 2);
    CHECK(ran.err.contains("names no release."));
  }
  CHECK(harness.api->seen().empty());
}

TEST_CASE("without a release nothing is deployed and the way to one is said") {
  Harness harness;
  harness.api->reply("GET /api/releases/latest", 404,
                     failure(R"({"code":"release_not_found","message":"There is no release."})"));
  const Ran ran = harness.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "There is no release.\n\nUpload one with: leger releases upload <bundle.tar.gz>\n");
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("findings of the preflight are listed") {
  Harness refusing;
  refusing.api->reply("GET /api/releases/latest", 200, success(kRelease));
  refusing.api->reply("POST /api/deployments/plan", 200, success(kPlan));
  refusing.api->reply(
      "POST /api/deployments", 422,
      failure(
          R"({"code":"preflight_failed","message":"hello v3 must not be installed.","action":"Mend the bundle.","details":{"findings":[{"id":"f1","level":"deny","file":"hello.container","message":"it mounts /"},{"id":"f2","level":"deny","file":"","message":"a secret is missing"}]}})"));
  const Ran ran = refusing.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "hello v3 must not be installed.\n"
        "  findings:\n"
        "    hello.container: [deny] it mounts /\n"
        "    [deny] a secret is missing\n"
        "\n"
        "Mend the bundle.\n");
}

TEST_CASE("a failed deployment gives legerd's report and exit 1") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 200, deployment("starting"));
  harness.api->reply(
      "GET /api/deployments/d1", 200,
      deployment(
          "rolled_back",
          R"({"code":"upstream_failed","message":"hello.service failed.","action":"Read its log.","unit":"hello.service","journal":["one","two\u001b[2J"]})"));
  const Ran ran = harness.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.out == "hello v3: 1 added; starts hello.service\nstarting…\n");
  CHECK(ran.err ==
        "hello v3 was not deployed; what ran before runs again: hello.service failed.\n"
        "  unit: hello.service\n"
        "  journal:\n"
        "    one\n"
        "    two\\x1b[2J\n"
        "\n"
        "Read its log.\n");
}

TEST_CASE("a failure report that is only text, or absent, is told too") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 200, deployment("failed", R"("first line\nsecond line\n")"));
  CHECK(harness.run({"deploy", "install"}).err == "hello v3 was not deployed\n  first line\n  second line\n");
  Harness silent;
  accept(silent);
  silent.api->reply("GET /api/deployments/d1", 200, deployment("failed"));
  const Ran ran = silent.run({"deploy", "install", "--json"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.contains(R"("state":"failed")"));
  CHECK(ran.err == R"({"error":{"code":"upstream_failed","message":"hello v3 was not deployed"}})"
                   "\n");
}

TEST_CASE("a running deployment is named where it is in the way") {
  Harness harness;
  harness.api->reply("GET /api/releases/latest", 200, success(kRelease));
  harness.api->reply("POST /api/deployments/plan", 200, success(kPlan));
  harness.api->reply("POST /api/deployments", 409,
                     failure(R"({"code":"conflict","message":"Another deployment runs.","details":{"id":"d0"}})"));
  const Ran ran = harness.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "Another deployment runs.\n  id: d0\n");
}

TEST_CASE("legerd may be away for a moment while a deployment is followed") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 200, deployment("starting"));
  harness.api->reply_bytes("GET /api/deployments/d1", "");
  harness.api->reply("GET /api/deployments/d1", 503, failure(R"({"code":"unavailable","message":"Recovering."})"));
  harness.api->reply("GET /api/deployments/d1", 200, deployment("deployed"));
  const Ran ran = harness.run({"deploy", "install"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("hello v3: 1 added; starts hello.service\nstarting…\n✓ hello v3 deployed\n"));
}

TEST_CASE("legerd that stays away ends the wait, and says that the deployment may go on") {
  Harness harness;
  accept(harness);
  harness.api->reply("GET /api/deployments/d1", 503, failure(R"({"code":"unavailable","message":"Recovering."})"));
  Ran ran = harness.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "Recovering. The deployment \"d1\" may still be under way.\n\nSee how it ended:\n  leger deploy list\n");
  Harness gone;
  accept(gone);
  gone.api->reply("GET /api/deployments/d1", 404, failure(R"({"code":"deployment_not_found","message":"No d1."})"));
  ran = gone.run({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("No d1. The deployment"));
}

TEST_CASE("a deployment that does not end is followed for a bounded time") {
  Harness harness;
  accept(harness);
  harness.io.patience.follow_ms = 20;
  harness.api->reply("GET /api/deployments/d1", 200, deployment("pulling"));
  const Ran ran = harness.run({"deploy", "install", "--json"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with(R"({"error":{"code":"request_timeout","message":"It has not ended after)"));
}

TEST_CASE("deploy list is a table") {
  Harness harness;
  harness.api->reply(
      "GET /api/deployments", 200,
      success(
          R"({"deployments":[{"id":"d2","name":"hello","version":3,"kind":"install","state":"pulling","created_at":"2026-11-22T04:05:06Z","finished_at":null}],"total_count":1})"));
  CHECK(harness.run({"deploy", "list"}).out ==
        "Name   Version  Kind     State    Started               Ended  ID\n"
        "hello  3        install  pulling  2026-11-22T04:05:06Z  -      d2\n"
        "\n"
        "Total: 1 deployments\n");
  Harness empty;
  empty.api->reply("GET /api/deployments", 200, success(R"({"deployments":[],"total_count":0})"));
  CHECK(empty.run({"deploy", "list"}).out == "No deployments\n\nDeploy a release with: leger deploy install\n");
}

TEST_CASE("deploy remove needs no name where one app is deployed, and asks nothing") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kOneService));
  harness.api->reply("DELETE /api/deployments/hello", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/deployments/d1", 200, deployment("switching", "null", "remove"));
  harness.api->reply("GET /api/deployments/d1", 200, deployment("removed", "null", "remove"));
  const Ran ran = harness.run({"deploy", "remove"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == "switching…\n✓ hello removed\n  Its volumes and releases are kept.\n");
}

TEST_CASE("deploy remove without a name says what is deployed where it cannot choose") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(kServices));
  Ran ran = harness.run({"deploy", "remove"});
  CHECK(ran.exit == 2);
  CHECK(ran.err ==
        "Several apps are deployed: hello, other.\n\nName the one to remove:\n  leger deploy remove hello\n");
  Harness none;
  none.api->reply("GET /api/services", 200, success(R"({"services":[],"total_count":0})"));
  ran = none.run({"deploy", "remove", "--json"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with(R"({"error":{"code":"deployment_not_found","message":"Nothing is deployed.")"));
}

TEST_CASE("deploy remove --volumes needs --yes without a terminal") {
  Harness harness;
  harness.api->reply("DELETE /api/deployments/hello?volumes=true", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/deployments/d1", 200, deployment("removed", "null", "remove"));
  const Ran asked = harness.run({"deploy", "remove", "hello", "--volumes"});
  CHECK(asked.exit == 2);
  CHECK(asked.err.contains("Add --yes to go ahead"));
  CHECK(harness.api->seen().empty());
  const Ran ran = harness.run({"deploy", "remove", "hello", "--volumes", "--yes"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "✓ hello removed\n  The volumes it made are deleted; its releases are kept.\n");
}

TEST_CASE("a removal that failed says so") {
  Harness harness;
  harness.api->reply("DELETE /api/deployments/hello", 202, success(R"({"id":"d1"})"));
  harness.api->reply("GET /api/deployments/d1", 200,
                     deployment("failed", R"({"message":"Podman is away."})", "remove"));
  const Ran ran = harness.run({"deploy", "remove", "hello"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "hello was not removed: Podman is away.\n");
}

}  // namespace
}  // namespace leger
