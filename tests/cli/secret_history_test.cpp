// Versions of secrets: older values, the history, the way back.

#include "cli/secret_history.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kVersions = "GET /api/secrets/key/versions";
constexpr const char* kThree = R"({"versions":[{"version":12,"created_at":"2026-11-22T04:05:06Z","current":true},)"
                               R"({"version":7,"created_at":"2026-11-21T04:05:06Z","current":false},)"
                               R"({"version":3,"created_at":"2026-11-20T04:05:06Z","current":false}]})";
constexpr const char* kTable =
    "Version  Created\n"
    "12       2026-11-22T04:05:06Z  current\n"
    "7        2026-11-21T04:05:06Z\n"
    "3        2026-11-20T04:05:06Z\n";
constexpr const char* kNotFound = R"({"code":"secret_not_found","message":"There is no such secret."})";

std::string reads(const std::string& before) {
  return "GET /api/audit?limit=1" + before + "&object=key&action=secret%2Eread";
}

TEST_CASE("secrets get --version asks for that value") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key?version=2", 200, success(R"({"name":"key","value":"old","version":2})"));
  const Ran ran = harness.run({"secrets", "get", "key", "--version", "2"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "old");
}

TEST_CASE("a version that is not kept is told apart from an absent secret") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key?version=9", 404, failure(R"("secret_not_found")"));
  const Ran ran = harness.run({"secrets", "get", "key", "--version=9"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "Version 9 of secret \"key\" not found\n\nList the versions that are kept:\n  leger secrets history key\n");
}

TEST_CASE("a version that is no number is exit 2 and asks nobody") {
  Harness harness;
  for (const char* version : {"0", "-1", "x", "", "18446744073709551616"}) {
    CAPTURE(version);
    CHECK(harness.run({"secrets", "get", "key", "--version", version}).exit == 2);
    CHECK(harness.run({"secrets", "rollback", "key", version}).exit == 2);
  }
  CHECK(harness.run({"secrets", "set", "key", "-", "--if-version", "x"}, "v").exit == 2);
  CHECK(harness.api->seen().empty());
}

TEST_CASE("secrets set --if-version sends the version, 0 too") {
  Harness harness;
  harness.api->reply("POST /api/secrets/set", 201, success(R"({"version":1,"message":"created successfully"})"));
  CHECK(harness.run({"secrets", "set", "key", "-", "--if-version", "0"}, "v").exit == 0);
  CHECK(harness.api->seen().back().body == R"({"name":"key","if_version":0,"value":"v"})");
  CHECK(harness.run({"secrets", "set", "--if-version=7", "key", "-"}, "v").exit == 0);
  CHECK(harness.api->seen().back().body == R"({"name":"key","if_version":7,"value":"v"})");
  CHECK(harness.run({"secrets", "set", "key", "-"}, "v").exit == 0);
  CHECK_FALSE(harness.api->seen().back().body.contains("if_version"));
}

TEST_CASE("a version that is no longer current is a conflict with what to do") {
  Harness harness;
  harness.api->reply("POST /api/secrets/set", 409,
                     failure(R"("conflict","message":"Version 3 is not the current one.")"));
  const Ran ran = harness.run({"secrets", "set", "key", "-", "--if-version", "3"}, "v");
  CHECK(ran.exit == 1);
  CHECK(ran.err == "Version 3 is not the current one.\n\nSee which version is current:\n  leger secrets history key\n");
}

TEST_CASE("a piece of a value in the place of --if-version is not shown") {
  Harness harness;
  for (const char* flag : {"hunter2", "-hunter2", "--hunter2"}) {
    const Ran ran = harness.run({"secrets", "set", "key", "one", "--if-version", flag});
    CHECK(ran.exit == 2);
    CHECK_FALSE(ran.err.contains("unter2"));
  }
}

TEST_CASE("secrets history is a table with the current version marked and the last read") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(kThree));
  harness.api->reply(reads(""), 200,
                     success(R"({"entries":[{"id":9,"time":"2026-11-22T05:00:00Z","actor":"u-1",)"
                             R"("actor_name":"alice@example.com","outcome":"ok"}],"next":9})"));
  const Ran ran = harness.run({"secrets", "history", "key"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == std::string(kTable) + "\nLast read: 2026-11-22T05:00:00Z by alice@example.com\n");
}

TEST_CASE("the last read is looked for behind empty pages and refused reads") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(kThree));
  harness.api->reply(reads(""), 200, success(R"({"entries":[],"next":50})"));
  harness.api->reply(reads("&before=50"), 200, success(R"({"entries":[{"id":40,"outcome":"unavailable"}],"next":40})"));
  harness.api->reply(reads("&before=40"), 200,
                     success(R"({"entries":[{"id":30,"time":"T","actor":"u-1","outcome":"ok"}],"next":null})"));
  CHECK(harness.run({"secrets", "history", "key"}).out == std::string(kTable) + "\nLast read: T by u-1\n");
}

TEST_CASE("a secret that was never read says so, and --json has no last read") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(kThree));
  harness.api->reply(reads(""), 200, success(R"({"entries":[],"next":null})"));
  CHECK(harness.run({"secrets", "history", "key"}).out == std::string(kTable) + "\nLast read: never on record\n");
  const Ran json = harness.run({"secrets", "history", "key", "--json"});
  CHECK(json.out.starts_with(R"({"versions":[{"version":12,)"));
  CHECK(json.out.ends_with("],\"last_read\":null}\n"));
}

TEST_CASE("the search for the last read ends after 20 pages") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(kThree));
  harness.api->reply(reads(""), 200, success(R"({"entries":[],"next":5})"));
  harness.api->reply(reads("&before=5"), 200, success(R"({"entries":[],"next":5})"));
  CHECK(harness.run({"secrets", "history", "key"}).out == std::string(kTable) + "\nLast read: long ago, or never\n");
  CHECK(harness.api->seen().size() == 21);
}

TEST_CASE("a history without an audit leaves the last read out") {
  for (const int status : {403, 404}) {
    Harness harness;
    harness.api->reply(kVersions, 200, success(kThree));
    harness.api->reply(reads(""), status, failure(R"({"code":"not_found","message":"No."})"));
    const Ran ran = harness.run({"secrets", "history", "key"});
    CHECK(ran.exit == 0);
    CHECK(ran.out == kTable);
    CHECK(harness.run({"secrets", "history", "key", "--json"}).out == std::string(kThree) + "\n");
  }
}

TEST_CASE("the history of an absent secret is the error of one") {
  Harness harness;
  harness.api->reply(kVersions, 404, failure(kNotFound));
  const Ran ran = harness.run({"secrets", "history", "key"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("Secret \"key\" not found\n\nList available secrets:\n"));
}

TEST_CASE("secrets rollback takes the value of the version that is named") {
  Harness harness;
  harness.api->reply("POST /api/secrets/key/rollback", 200,
                     success(R"({"name":"key","version":13,"updated_at":"2026-11-23T04:05:06Z",)"
                             R"("message":"updated successfully"})"));
  const Ran ran = harness.run({"secrets", "rollback", "key", "3"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "✓ Secret key rolled back to the value of version 3\n  Version: 13\n  Updated: 2026-11-23T04:05:06Z\n");
  CHECK(harness.api->seen().size() == 1);
  CHECK(harness.api->seen().back().body == R"({"version":3})");
}

TEST_CASE("secrets rollback without a version takes the one before the current") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(kThree));
  harness.api->reply("POST /api/secrets/key/rollback", 200,
                     success(R"({"version":13,"message":"updated successfully"})"));
  CHECK(harness.run({"secrets", "rollback", "key"}).exit == 0);
  CHECK(harness.api->seen().back().body == R"({"version":7})");
}

TEST_CASE("there is nothing to roll a single version back to") {
  Harness harness;
  harness.api->reply(kVersions, 200, success(R"({"versions":[{"version":4,"created_at":"T","current":true}]})"));
  const Ran ran = harness.run({"secrets", "rollback", "key"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("Secret \"key\" has no version before the current one."));
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("a rollback to a version that is not kept names the history") {
  Harness harness;
  harness.api->reply("POST /api/secrets/key/rollback", 404, failure(kNotFound));
  const Ran ran = harness.run({"secrets", "rollback", "key", "2"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("Version 2 of secret \"key\" not found\n"));
}

TEST_CASE("a secret that apps use is not deleted, and the apps are named") {
  Harness harness;
  harness.api->reply("DELETE /api/secrets/key", 409,
                     failure(R"({"code":"conflict","message":"The secret \"key\" is in use.",)"
                             R"("details":{"apps":["hello","web\u001b"]}})"));
  const Ran ran = harness.run({"secrets", "delete", "key", "--force"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "The secret \"key\" is in use.\n"
        "  apps:\n"
        "    hello\n"
        "    web\\x1b\n"
        "\n"
        "Deploy releases that do without the secret, or remove the apps:\n"
        "  leger deploy list\n"
        "  leger deploy remove <app>\n");
  CHECK(harness.run({"secrets", "delete", "key", "--force", "--json"}).err.contains(R"("apps":["hello",)"));
}

}  // namespace
}  // namespace leger
