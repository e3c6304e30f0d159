#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::success;
using test::Terminal;

constexpr const char* kRelease = R"({"version":3,"deployment_name":"hello"})";
constexpr const char* kDeployed = R"({"id":"d1","name":"hello","version":3,"kind":"install","state":"deployed"})";

// A plan with these findings, given as JSON texts.
std::string plan(const std::string& findings = "") {
  return R"({"plan_id":"p1","units":[{"name":"db.service","change":"unchanged","reasons":[]},)"
         R"({"name":"hello.service","change":"changed","reasons":["unit","file hello.conf"]},)"
         R"({"name":"old.service","change":"removed","reasons":[]}],"restart":["db.service","hello.service"],)"
         R"("findings":[)" +
         findings +
         R"(],"images":["quay.io/x/y:1"],"ports":["127.0.0.1:8080/tcp"],"secrets":[{"name":"key","version":4}],)"
         R"("volumes":["systemd-data"]})";
}

constexpr const char* kDenied = R"({"id":"port-taken:a","level":"denied","file":"a","message":"a is taken"})";
constexpr const char* kFlag = R"({"id":"no-digest:b","level":"flagged","file":"b","message":"b has no digest"})";
constexpr const char* kNote = R"({"id":"quarantined:","level":"note","file":"","message":"it did not start"})";

struct Planned : Harness {
  explicit Planned(const std::string& findings = "") {
    for (const char* request :
         {"GET /api/releases/latest", "GET /api/releases/3", "GET /api/releases/latest?name=hello"}) {
      api->reply(request, 200, success(kRelease));
    }
    api->reply("POST /api/deployments/plan", 200, success(plan(findings)));
    api->reply("POST /api/deployments", 202, success(R"({"id":"d1"})"));
    api->reply("GET /api/deployments/d1", 200, success(kDeployed));
    api->reply("GET /api/services", 200, success(R"({"services":[{"name":"hello","app":"hello"}],"total_count":1})"));
  }
  // The body with which the deployment was begun; empty where none was.
  std::string begun() const {
    for (const auto& request : api->seen()) {
      if (request.method == "POST" && request.target == "/api/deployments") return request.body;
    }
    return {};
  }
};

TEST_CASE("a plan is told whole, and a dry run is a plan") {
  for (const bool dry_run : {false, true}) {
    CAPTURE(dry_run);
    Planned harness(std::string(kFlag) + "," + kNote);
    const Ran ran =
        dry_run ? harness.run({"deploy", "install", "3", "--dry-run"}) : harness.run({"deploy", "plan", "3"});
    CHECK(ran.exit == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out ==
          "hello v3\n"
          "  unchanged  db.service\n"
          "  changed    hello.service  unit, file hello.conf\n"
          "  removed    old.service\n"
          "\n"
          "Starts, in this order: db.service, hello.service\n"
          "Pulls: quay.io/x/y:1\n"
          "Publishes: 127.0.0.1:8080/tcp\n"
          "Secrets: key v4\n"
          "Mounts: systemd-data (what is written there no rollback undoes)\n"
          "\n"
          "To be confirmed, or accepted with --yes:\n"
          "  no-digest:b  b has no digest\n"
          "\n"
          "To be known:\n"
          "  quarantined:  it did not start\n");
    CHECK(harness.begun().empty());
  }
}

TEST_CASE("a plan as data is what legerd sends, alone") {
  Planned harness;
  const Ran ran = harness.run({"--json", "deploy", "plan"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == plan() + "\n");
}

TEST_CASE("a release that cannot be installed has a plan and exit 1, and is not begun") {
  Planned harness(std::string(kDenied) + "," + kFlag);
  const Ran shown = harness.run({"deploy", "plan"});
  CHECK(shown.exit == 1);
  CHECK(shown.out.contains("Denied, it cannot be installed:\n  port-taken:a  a is taken\n"));
  const Ran ran = harness.run({"deploy", "install", "--yes"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "hello v3 cannot be installed.\n  a: [denied] a is taken\n\nMend what is listed, then deploy again.\n");
  CHECK(harness.begun().empty());
}

TEST_CASE("what is flagged needs --yes without a terminal, and is accepted by its ids") {
  Planned harness(std::string(kFlag) + "," + kNote);
  const Ran asked = harness.run({"deploy", "install"});
  CHECK(asked.exit == 2);
  CHECK(asked.out.empty());
  CHECK(asked.err.contains("no-digest:b  b has no digest"));
  CHECK(asked.err.contains("Add --yes"));
  CHECK(harness.begun().empty());
  const Ran ran = harness.run({"deploy", "install", "--yes"});
  CHECK(ran.exit == 0);
  CHECK(
      ran.out.starts_with("hello v3: 1 changed, 1 removed; starts db.service, hello.service; pulls quay.io/x/y:1\n"
                          "  it did not start\n"));
  CHECK(harness.begun() == R"({"plan_id":"p1","accept_flags":["no-digest:b"]})");
}

TEST_CASE("on a terminal what is flagged is shown and asked about") {
  for (const bool agrees : {true, false}) {
    CAPTURE(agrees);
    Planned harness(kFlag);
    Terminal terminal(agrees ? "y\n" : "n\n");
    const MemoryFile out;
    Io io = harness.io;
    io.in = terminal.get();
    io.out = out.get();
    io.err = terminal.get();
    CHECK(leger::run({"deploy", "install"}, io) == (agrees ? 0 : 1));
    CHECK(terminal.screen(agrees ? "[y/N]" : "nothing was done").contains("b has no digest"));
    CHECK(out.content().contains("✓ hello v3 deployed") == agrees);
    CHECK(harness.begun().empty() == !agrees);
  }
}

TEST_CASE("--retry and --adopt go to legerd where they are given") {
  Planned harness;
  CHECK(harness.run({"deploy", "install", "--retry", "--adopt"}).exit == 0);
  CHECK(harness.begun() == R"({"plan_id":"p1","accept_flags":[],"adopt":true,"retry":true})");
}

TEST_CASE("deploy update deploys the newest release of the app, which need not be named where it is the only one") {
  for (const bool named : {true, false}) {
    CAPTURE(named);
    Planned harness;
    const Ran ran = named ? harness.run({"deploy", "update", "hello"}) : harness.run({"deploy", "update"});
    CHECK(ran.exit == 0);
    CHECK(harness.api->seen().at(named ? 0 : 1).target == "/api/releases/latest?name=hello");
    CHECK_FALSE(harness.begun().empty());
  }
  Harness several;
  several.api->reply("GET /api/services", 200, success(R"({"services":[{"app":"a"},{"app":"b"}],"total_count":2})"));
  const Ran ran = several.run({"deploy", "update"});
  CHECK(ran.exit == 2);
  CHECK(ran.err == "Several apps are deployed: a, b.\n\nName the one to update:\n  leger deploy update a\n");
  for (const char* name : {"3", "latest", "hello@3"}) {
    CAPTURE(name);
    const Ran wrong = several.run({"deploy", "update", name});
    CHECK(wrong.exit == 2);
    CHECK(wrong.err.contains("is not the name of an app"));
  }
}

}  // namespace
}  // namespace leger
