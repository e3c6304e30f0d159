#include <doctest/doctest.h>

#include <string>

#include "backend/base/json.h"
#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kSync = "POST /api/secrets/sync";
constexpr const char* kRow = "GET /api/deployments/s1";
constexpr const char* kSet = "POST /api/secrets/set";
constexpr const char* kSetData =
    R"({"name":"key","version":2,"created_at":"2026-11-22T04:05:06Z","updated_at":"2026-11-22T04:05:06Z","message":"updated successfully"})";
constexpr const char* kUnits =
    R"([{"name":"a.service","change":"changed","reasons":["secret key","secret other"],"app":"one"}])";

std::string row(const std::string& state, const std::string& units = kUnits, const std::string& error = "null") {
  return success(R"({"id":"s1","name":"","version":0,"kind":"sync","state":")" + state + R"(","plan":{"units":)" +
                 units + R"(,"restart":[],"secrets":[]},"error":)" + error + "}");
}

void accept(Harness& harness) { harness.api->reply(kSync, 202, success(R"({"id":"s1"})")); }

}  // namespace

TEST_CASE("secrets sync waits for its end and says what was restarted, and why") {
  Harness harness;
  accept(harness);
  harness.api->reply(kRow, 200, row("starting"));
  harness.api->reply(kRow, 200, row("deployed"));
  const Ran ran = harness.run({"secrets", "sync"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == "starting…\n✓ Secrets are up to date\n  a.service restarted (secret key, secret other)\n");
}

TEST_CASE("secrets sync says where there was nothing to do, and with --json prints the row") {
  Harness harness;
  accept(harness);
  harness.api->reply(kRow, 200, row("deployed", "[]"));
  CHECK(harness.run({"secrets", "sync"}).out.contains("Nothing to restart"));
  const Ran ran = harness.run({"secrets", "sync", "--json"});
  CHECK(ran.exit == 0);
  const auto data = parse_json(ran.out);
  REQUIRE(data);
  CHECK(text_field(*data, "kind") == "sync");
}

TEST_CASE("a sync that was reverted is exit 1 and says what runs") {
  Harness harness;
  accept(harness);
  harness.api->reply(kRow, 200,
                     row("rolled_back", kUnits, R"({"code":"upstream_failed","message":"a.service is unhealthy."})"));
  const Ran ran = harness.run({"secrets", "sync"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.contains(
      "The secrets of running apps were not brought up to date; they run with the values before: a.service is "
      "unhealthy."));
}

TEST_CASE("secrets set --apply stores, then syncs") {
  Harness harness;
  accept(harness);
  harness.api->reply(kSet, 200, success(kSetData));
  harness.api->reply(kRow, 200, row("deployed"));
  const Ran ran = harness.run({"secrets", "set", "key", "-", "--apply"}, "x");
  CHECK(ran.exit == 0);
  CHECK(ran.out.contains("✓ Secret updated successfully\n"));
  CHECK(ran.out.contains("✓ Running apps are up to date\n  a.service restarted"));
  CHECK(harness.api->seen().front().target == "/api/secrets/set");
  const Ran json = harness.run({"--json", "secrets", "set", "key", "-", "--apply"}, "x");
  const auto data = parse_json(json.out);
  REQUIRE(data);
  CHECK(integer_field(*data, "version") == 2);
  CHECK(text_field((*data)["deployment"], "state") == "deployed");
}

TEST_CASE("without --apply nothing is synced") {
  Harness harness;
  harness.api->reply(kSet, 200, success(kSetData));
  CHECK(harness.run({"secrets", "set", "key", "-"}, "x").exit == 0);
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("secrets rollback --apply syncs; where that fails it says that the secret is changed all the same") {
  Harness harness;
  harness.api->reply("POST /api/secrets/key/rollback", 200, success(kSetData));
  harness.api->reply(kSync, 409, failure(R"({"code":"conflict","message":"Another deployment is running."})"));
  const Ran ran = harness.run({"secrets", "rollback", "key", "1", "--apply"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("Another deployment is running. The secret itself is changed"));
  CHECK(ran.err.contains("leger secrets sync"));
}

TEST_CASE("podman-secret lookup prints the bytes and nothing else, and waits for legerd") {
  Harness harness;
  const std::string path = "GET /api/podman-secrets/key?user=u-1&version=3";
  const std::string value("a\0b\n", 4);
  harness.api->reply(path, 503, failure(R"({"code":"unavailable","message":"Not yet."})"));
  harness.api->reply(path, 200, value);
  const Ran ran = harness.run({"podman-secret", "lookup", "u-1", "key", "3"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == value);
}

TEST_CASE("podman-secret lookup gives up on a refusal at once, and on an absent legerd after a while") {
  Harness harness;
  harness.io.patience.lookup_ms = 30;
  harness.api->reply("GET /api/podman-secrets/key?user=u&version=3", 404,
                     failure(R"({"code":"secret_not_found","message":"There is no such secret."})"));
  const Ran refused = harness.run({"podman-secret", "lookup", "u", "key", "3"});
  CHECK(refused.exit == 1);
  CHECK(refused.out.empty());
  CHECK(harness.api->seen().size() == 1);
  const Ran absent =
      harness.run({"--socket", harness.folder / "absent.sock", "podman-secret", "lookup", "u", "k", "1"});
  CHECK(absent.exit == 1);
  CHECK(absent.out.empty());
}

TEST_CASE("podman-secret store drops what it gets, list is empty, and delete wants the id of a secret") {
  Harness harness;
  const Ran store = harness.run({"podman-secret", "store"}, "a value");
  CHECK(store.exit == 0);
  CHECK((store.out + store.err).empty());
  const Ran list = harness.run({"podman-secret", "list"});
  CHECK(list.exit == 0);
  CHECK(list.out.empty());
  CHECK(harness.run({"podman-secret", "delete"}).exit == 1);
  harness.io.environment["SECRET_ID"] = "0a98";
  CHECK(harness.run({"podman-secret", "delete"}).exit == 0);
  CHECK(harness.api->seen().empty());
  CHECK_FALSE(harness.run({"--help"}).out.contains("podman-secret"));
}

}  // namespace leger
