// What the running daemon has on record, and whom it tells.

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/daemon/tailnet_daemon.h"

namespace leger::test {
namespace {

// Of the owner at the Unix socket.
Json ask_owner(TailnetDaemon& tailnet, std::string_view path) {
  return TailnetDaemon::data_of(ask(tailnet.daemon->unix_socket(), request("GET", path)));
}

// `action object outcome actor_name source` of each row, the oldest first.
std::vector<std::string> lines(const Json& data) {
  std::vector<std::string> found;
  for (const Json& entry : data["entries"]) {
    const std::string name = entry.value("actor_name", "-");
    found.insert(found.begin(), entry["action"].get<std::string>() + " " + entry["object"].get<std::string>() + " " +
                                    entry["outcome"].get<std::string>() + " " + name + " " +
                                    entry["source"].get<std::string>());
  }
  return found;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a secret's life over the socket is on record, and each request has a number of its own") {
  TailnetDaemon tailnet;
  Client owner = tailnet.daemon->unix_socket();
  const auto did = [&owner](std::string_view method, std::string_view path, std::string_view body = {}) {
    owner.send(request(method, path, body));
    return owner.read_answer().status;
  };
  CHECK(did("PUT", "/api/secrets/key", R"({"value":"hidden"})") == 201);
  CHECK(did("GET", "/api/secrets/key") == 200);
  CHECK(did("GET", "/secrets/get/absent") == 404);
  CHECK(did("POST", "/api/secrets/key/rollback", R"({"version":1})") == 200);
  CHECK(did("DELETE", "/secrets/key") == 200);
  const Json data = ask_owner(tailnet, "/api/audit");
  CHECK(lines(data) == Lines{"secret.set key ok olga@example.com socket", "secret.read key ok olga@example.com socket",
                             "secret.read absent secret_not_found olga@example.com socket",
                             "secret.rollback key ok olga@example.com socket",
                             "secret.delete key ok olga@example.com socket"});
  CHECK(data["next"].is_null());
  CHECK_FALSE(dump(data).contains("hidden"));
  std::set<std::string> numbers;
  for (const Json& entry : data["entries"]) numbers.insert(entry["request_id"].get<std::string>());
  CHECK(numbers.size() == 5);
  CHECK(data["entries"][3]["version"] == 1);
  CHECK(data["entries"][3]["count"] == 1);
  CHECK(ask_owner(tailnet, "/api/audit/verify") == Json{{"valid", true}, {"entries", 5}, {"first_bad", nullptr}});
}

TEST_CASE("the audit is told in pages, and of one object or action where that is asked") {
  TailnetDaemon tailnet;
  Client owner = tailnet.daemon->unix_socket();
  for (int i = 0; i < 5; ++i) {
    owner.send(request("GET", "/api/secrets/absent" + std::to_string(i % 2)));
    CHECK(owner.read_answer().status == 404);
  }
  const Json first = ask_owner(tailnet, "/api/audit?limit=2");
  REQUIRE(first["entries"].size() == 2);
  CHECK(first["entries"][0]["id"] == 5);
  const Json next = ask_owner(tailnet, "/api/audit?limit=2&before=" + std::to_string(first["next"].get<int>()));
  CHECK(next["entries"][0]["id"] == 3);
  CHECK(ask_owner(tailnet, "/api/audit?object=absent1")["entries"].size() == 2);
  CHECK(ask_owner(tailnet, "/api/audit?object=absent1&action=secret.set")["entries"].empty());
  for (const std::string_view bad : {"limit=0", "limit=1001", "limit=x", "before=0", "before=-1"}) {
    CAPTURE(bad);
    CHECK(ask(tailnet.daemon->unix_socket(), request("GET", "/api/audit?" + std::string(bad))).status == 400);
  }
}

TEST_CASE("who is no operator sees the own rows only, and may not verify") {
  TailnetDaemon tailnet;
  Client alice = tailnet.daemon->unix_socket();
  alice.send(request("PUT", "/api/secrets/alices", R"({"value":"v"})"));
  CHECK(alice.read_answer().status == 201);
  Client client = tailnet.connect_as(bob());
  const std::string token = tailnet.token_on(client);
  client.send(request("GET", "/api/secrets/bobs", {}, bearer(token)));
  CHECK(client.read_answer().status == 404);
  client.send(request("GET", "/api/audit", {}, bearer(token)));
  const Json own = TailnetDaemon::data_of(client.read_answer());
  REQUIRE(own["entries"].size() == 2);
  CHECK(lines(own).at(1) == "secret.read bobs secret_not_found bob@example.com 127.0.0.1");
  CHECK(lines(own).at(0).starts_with("session.begin "));
  client.send(request("GET", "/api/audit/verify", {}, bearer(token)));
  CHECK(TailnetDaemon::code_of(client.read_answer()) == "insufficient_permissions");
  CHECK(ask_owner(tailnet, "/api/audit?action=secret.set")["entries"].size() == 1);
}

TEST_CASE("who is refused is on record with the reason, once a minute with a count") {
  TailnetDaemon tailnet;
  const std::string token = tailnet.token();
  Client thief = tailnet.connect_as(bob());
  for (int i = 0; i < 4; ++i) {
    thief.send(request("GET", "/api/secrets/key", {}, bearer(token)));
    CHECK(thief.read_answer().status == 401);
  }
  CHECK(ask(tailnet.connect(), request("GET", "/api/secrets", {}, "Origin: http://evil.example\r\n")).status == 403);
  tailnet.daemon->advance(60'000);
  Json stolen = ask_owner(tailnet, "/api/audit?action=token_identity_mismatch");
  // The row of the minute is written while the loop goes on.
  for (int i = 0; i < 1000 && stolen["entries"].size() < 2; ++i) {
    tailnet.daemon->settle();
    stolen = ask_owner(tailnet, "/api/audit?action=token_identity_mismatch");
  }
  REQUIRE(stolen["entries"].size() == 2);
  CHECK(stolen["entries"][0]["count"] == 3);
  CHECK(stolen["entries"][1]["count"] == 1);
  CHECK(lines(stolen).front() == "token_identity_mismatch /api/secrets/:name invalid_token - 127.0.0.1");
  const Json foreign = ask_owner(tailnet, "/api/audit?action=request");
  REQUIRE(foreign["entries"].size() == 1);
  CHECK(foreign["entries"][0]["outcome"] == "forbidden_origin");
  CHECK(ask_owner(tailnet, "/api/secrets")["total_count"] == 0);
}

TEST_CASE("a secret's versions are listed and brought back as the contract says") {
  TailnetDaemon tailnet;
  Client owner = tailnet.daemon->unix_socket();
  const auto told = [&owner](std::string_view method, std::string_view path, std::string_view body = {}) {
    owner.send(request(method, path, body));
    return owner.read_answer();
  };
  const std::string made = tailnet.daemon->now();
  CHECK(told("PUT", "/api/secrets/key", R"({"value":"one"})").status == 201);
  tailnet.daemon->advance(1000);
  CHECK(told("PUT", "/api/secrets/key", R"({"value":"two"})").status == 200);
  const std::string later = tailnet.daemon->now();
  CHECK(told("GET", "/api/secrets/key/versions").body ==
        R"({"success":true,"data":{"versions":[{"version":2,"created_at":")" + later +
            R"(","current":true},{"version":1,"created_at":")" + made + R"(","current":false}]}})");
  CHECK(told("POST", "/api/secrets/key/rollback", R"({"version":1})").body ==
        R"({"success":true,"data":{"name":"key","version":3,"created_at":")" + made + R"(","updated_at":")" + later +
            R"(","message":"updated successfully"}})");
  CHECK(told("GET", "/api/secrets/key").body.contains(R"("value":"one")"));
  CHECK(told("POST", "/api/secrets/key/rollback", R"({"version":9})").status == 404);
  CHECK(told("POST", "/api/secrets/key/rollback", R"({"version":0})").status == 400);
  CHECK(told("POST", "/api/secrets/key/rollback", "{}").status == 400);
  CHECK(told("GET", "/api/secrets/absent/versions").status == 404);
  CHECK(told("GET", "/api/secrets/list/versions").status == 400);
}

}  // namespace leger::test
