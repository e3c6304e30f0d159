#include "backend/tailscale/node.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/fakes/fake_tailscaled.h"

namespace leger {
namespace {

using test::FakeNode;
using test::status_answer;
using test::whois_answer;

constexpr std::int64_t kNow = 1'790'000'000;  // 2026-09-21T14:13:20Z

// What becomes of a whois answer: `person`, `garbled FIELD`, or the refusal's message.
std::string verdict(const Json& answer) {
  const auto who = read_whois(answer, kNow);
  if (!who) {
    CHECK(who.error().code == Code::unavailable);
    const std::string& message = who.error().message;
    const std::string before = "tailscaled's answer cannot be understood: ";
    REQUIRE(message.starts_with(before));
    return "garbled " + message.substr(before.size(), message.find(" is missing") - before.size());
  }
  const auto judged = judge_node(*who);
  if (judged) return "person";
  CHECK(judged.error().code == Code::tailscale_verification_failed);
  CHECK(!judged.error().action.empty());
  return judged.error().message;
}

// The verdict on an answer about Alice's laptop, changed.
std::string verdict(const std::function<void(Json& answer, Json& node)>& change) {
  Json answer = whois_answer();
  change(answer, answer["Node"]);
  return verdict(answer);
}

const std::string kLaptop = "laptop.tail-test.ts.net";

TEST_CASE("a person's own device is who whois says") {
  const auto who = read_whois(whois_answer({.roles = {"operator", "other"}}), kNow);
  REQUIRE(who.has_value());
  CHECK(who->user_id == 101);
  CHECK(who->login_name == "alice@example.com");
  CHECK(who->display_name == "Alice");
  CHECK(who->node_id == 11);
  CHECK(who->stable_id == "nAliceCNTRL");
  CHECK(who->node_name == kLaptop);
  CHECK(who->hostname == "laptop");
  CHECK(who->tags.empty());
  CHECK_FALSE(who->is_shared_in);
  CHECK_FALSE(who->is_expired);
  CHECK(who->is_authorized);
  CHECK(who->roles == std::vector<std::string>{"operator", "other"});
  CHECK(judge_node(*who).has_value());
}

TEST_CASE("only an approved device of a person of this tailnet passes") {
  using Change = std::function<void(Json&, Json&)>;
  const std::vector<std::pair<Change, std::string>> table = {
      {[](Json&, Json&) {}, "person"},
      {[](Json&, Json& node) { node["Tags"] = nullptr; }, "person"},
      {[](Json&, Json& node) { node["Tags"] = Json::array(); }, "person"},
      {[](Json&, Json& node) { node["Tags"] = {"tag:ci", "tag:web"}; },
       kLaptop + " is a tagged device (tag:ci, tag:web); legerd serves people."},
      {[](Json&, Json& node) { node["Tags"] = {""}; }, kLaptop + " is a tagged device (); legerd serves people."},
      {[](Json& answer, Json& node) {
         // The real control server's profile of all tagged devices.
         node["Tags"] = {"tag:ci"};
         answer["UserProfile"] = {{"ID", 30504053928343272}, {"LoginName", "tagged-devices"}};
       },
       kLaptop + " is a tagged device (tag:ci); legerd serves people."},
      {[](Json&, Json& node) { node["Sharer"] = 7; },
       kLaptop + " is a device of another tailnet; legerd serves members of its own."},
      {[](Json&, Json& node) { node["Sharer"] = 0; }, "person"},
      {[](Json&, Json& node) { node["Hostinfo"]["ShareeNode"] = true; },
       kLaptop + " is a device of another tailnet; legerd serves members of its own."},
      {[](Json&, Json& node) { node["Hostinfo"]["ShareeNode"] = false; }, "person"},
      {[](Json&, Json& node) { node["MachineAuthorized"] = false; }, kLaptop + " is not approved in this tailnet."},
      {[](Json&, Json& node) { node.erase("MachineAuthorized"); }, kLaptop + " is not approved in this tailnet."},
      {[](Json&, Json& node) { node["Expired"] = true; }, "The key of " + kLaptop + " has expired."},
      {[](Json&, Json& node) { node["Expired"] = false; }, "person"},
      {[](Json&, Json& node) { node["KeyExpiry"] = "0001-01-01T00:00:00Z"; }, "person"},
      {[](Json&, Json& node) { node["KeyExpiry"] = "2026-09-21T14:13:21Z"; }, "person"},
      {[](Json&, Json& node) { node["KeyExpiry"] = "2026-09-21T14:13:20.9Z"; },
       "The key of " + kLaptop + " has expired."},
      {[](Json&, Json& node) { node["KeyExpiry"] = "2026-09-21T15:13:20+01:00"; },
       "The key of " + kLaptop + " has expired."},
      {[](Json&, Json& node) { node["KeyExpiry"] = "2026-09-21T14:13:20-00:01"; }, "person"},
      {[](Json&, Json& node) {
         node["KeyExpiry"] = "2030-01-01T00:00:00Z";
         node["Expired"] = true;
       },
       "The key of " + kLaptop + " has expired."},
      {[](Json&, Json& node) { node.erase("Hostinfo"); }, "person"},
      {[](Json&, Json& node) { node.erase("Name"); }, "person"},
  };
  for (std::size_t row = 0; row < table.size(); ++row) {
    CAPTURE(row);
    CHECK(verdict(table[row].first) == table[row].second);
  }
}

TEST_CASE("what identity stands on is there and of its type, or the answer is garbled") {
  using Change = std::function<void(Json&, Json&)>;
  const std::vector<std::pair<Change, std::string>> table = {
      {[](Json& answer, Json&) { answer = Json::array(); }, "Node"},
      {[](Json& answer, Json&) { answer = nullptr; }, "Node"},
      {[](Json& answer, Json&) { answer.erase("Node"); }, "Node"},
      {[](Json& answer, Json&) { answer["Node"] = nullptr; }, "Node"},
      {[](Json& answer, Json&) { answer.erase("UserProfile"); }, "UserProfile"},
      {[](Json& answer, Json&) { answer["UserProfile"] = "alice"; }, "UserProfile"},
      {[](Json& answer, Json&) { answer["UserProfile"].erase("ID"); }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["ID"] = "101"; }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["ID"] = 101.0; }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["ID"] = 0; }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["ID"] = -101; }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["ID"] = UINT64_MAX; }, "UserProfile.ID"},
      {[](Json& answer, Json&) { answer["UserProfile"]["LoginName"] = 7; }, "UserProfile.LoginName"},
      {[](Json& answer, Json&) { answer["UserProfile"]["LoginName"] = std::string(1001, 'a'); },
       "UserProfile.LoginName"},
      {[](Json&, Json& node) { node.erase("ID"); }, "Node.ID"},
      {[](Json&, Json& node) { node["ID"] = "11"; }, "Node.ID"},
      {[](Json&, Json& node) { node.erase("StableID"); }, "Node.StableID"},
      {[](Json&, Json& node) { node["StableID"] = ""; }, "Node.StableID"},
      {[](Json&, Json& node) { node["StableID"] = 11; }, "Node.StableID"},
      {[](Json&, Json& node) { node["Name"] = 11; }, "Node.Name"},
      {[](Json&, Json& node) { node.erase("User"); }, "Node.User"},
      {[](Json&, Json& node) { node["User"] = 102; }, "Node.User"},
      {[](Json&, Json& node) { node["Tags"] = "tag:ci"; }, "Node.Tags"},
      {[](Json&, Json& node) { node["Tags"] = {"tag:ci", 7}; }, "Node.Tags"},
      {[](Json&, Json& node) { node["Tags"] = false; }, "Node.Tags"},
      {[](Json&, Json& node) { node["Tags"] = Json::object(); }, "Node.Tags"},
      {[](Json&, Json& node) { node["Sharer"] = "7"; }, "Node.Sharer"},
      {[](Json&, Json& node) { node["Sharer"] = nullptr; }, "Node.Sharer"},
      {[](Json&, Json& node) { node["Sharer"] = -1; }, "Node.Sharer"},
      {[](Json&, Json& node) { node["Hostinfo"] = {1}; }, "Node.Hostinfo"},
      {[](Json&, Json& node) { node["Hostinfo"]["ShareeNode"] = 1; }, "Node.Hostinfo.ShareeNode"},
      {[](Json&, Json& node) { node["MachineAuthorized"] = "true"; }, "Node.MachineAuthorized"},
      {[](Json&, Json& node) { node["MachineAuthorized"] = nullptr; }, "Node.MachineAuthorized"},
      {[](Json&, Json& node) { node["Expired"] = 0; }, "Node.Expired"},
      {[](Json&, Json& node) { node["KeyExpiry"] = ""; }, "Node.KeyExpiry"},
      {[](Json&, Json& node) { node["KeyExpiry"] = nullptr; }, "Node.KeyExpiry"},
      {[](Json&, Json& node) { node["KeyExpiry"] = 1'900'000'000; }, "Node.KeyExpiry"},
      {[](Json&, Json& node) { node["KeyExpiry"] = "2030-02-30T00:00:00Z"; }, "Node.KeyExpiry"},
  };
  for (std::size_t row = 0; row < table.size(); ++row) {
    CAPTURE(row);
    CHECK(verdict(table[row].first) == "garbled " + table[row].second);
  }
}

TEST_CASE("an id beyond what a floating number holds is kept to the last digit") {
  for (const std::int64_t id : {std::int64_t{9'007'199'254'740'993}, std::int64_t{INT64_MAX}}) {
    const auto who = read_whois(whois_answer({.user_id = id, .node_id = id - 1}), kNow);
    REQUIRE(who.has_value());
    CHECK(who->user_id == id);
    CHECK(who->node_id == id - 1);
  }
}

TEST_CASE("a tagged device is judged by its tags, whatever its login name") {
  CHECK(verdict(whois_answer({.login_name = "alice@example.com", .tags = {"tag:ci"}})) ==
        kLaptop + " is a tagged device (tag:ci); legerd serves people.");
  CHECK(verdict(whois_answer({.login_name = "tagged-devices"})) == "person");
}

TEST_CASE("a refusal shows names that steer no terminal, and cuts long ones") {
  FakeNode node{.hostname = "evil\x1b[2J\n", .tags = {"tag:\x1b[31m"}};
  CHECK(verdict(whois_answer(node)) ==
        "evil\\x1b[2J\\x0a.tail-test.ts.net is a tagged device (tag:\\x1b[31m); legerd serves people.");
  node.hostname = std::string(900, 'x');
  node.tags = std::vector<std::string>(50, "tag:long-name");
  CHECK(verdict(whois_answer(node)).size() < 500);
}

TEST_CASE("a device without a name in the tailnet is called by what it calls itself, or by its id") {
  Json answer = whois_answer({.tags = {"tag:ci"}});
  answer["Node"].erase("Name");
  CHECK(read_whois(answer, kNow)->hostname == "laptop");
  CHECK(verdict(answer).starts_with("nAliceCNTRL is a tagged device"));
}

TEST_CASE("a capability that is not a list of roles grants nothing and keeps nobody out") {
  for (const char* grants :
       {"null", "{}", "[]", "7", R"("operator")", R"(["operator"])", R"([{"roles":"operator"}])",
        R"([{"role":["operator"]}])", R"([{"roles":["operator",7]}])", R"([{"roles":[["operator"]]}])",
        R"([{"roles":null}])", R"([null])", R"([{"roles":{"operator":true}}])"}) {
    CAPTURE(grants);
    Json answer = whois_answer();
    answer["CapMap"]["leger.run/cap/legerd"] = Json::parse(grants);
    const auto who = read_whois(answer, kNow);
    REQUIRE(who.has_value());
    CHECK(who->roles.empty());
  }
  for (const char* map : {"null", "7", "[]", R"({"leger.run/cap/other":[{"roles":["operator"]}]})"}) {
    CAPTURE(map);
    Json answer = whois_answer();
    answer["CapMap"] = Json::parse(map);
    CHECK(read_whois(answer, kNow)->roles.empty());
  }
  Json answer = whois_answer();
  answer["Node"]["CapMap"] = Json::parse(R"({"leger.run/cap/legerd":[{"roles":["operator"]}]})");
  CHECK(read_whois(answer, kNow)->roles.empty());
}

TEST_CASE("roles of several grants are one list, beside grants of another form") {
  Json answer = whois_answer();
  answer["CapMap"]["leger.run/cap/legerd"] =
      Json::parse(R"([{"roles":["operator"]},7,{"roles":["reader","operator"],"note":"x"},{"roles":[1]}])");
  CHECK(read_whois(answer, kNow)->roles == std::vector<std::string>{"operator", "reader"});
}

// The field that makes a status unusable, empty where it is usable.
std::string odd_field(const Json& status) {
  const auto read = read_status(status);
  if (read) return "";
  CHECK(read.error().code == Code::unavailable);
  const std::string message = read.error().message.substr(42);
  return message.substr(0, message.find(" is missing"));
}

std::string odd_field(const std::function<void(Json& status, Json& self)>& change) {
  Json status = status_answer();
  change(status, status["Self"]);
  return odd_field(status);
}

TEST_CASE("this node is who status says") {
  Json answer = status_answer({.ips = {"100.64.0.2", "FD7A:115C:A1E0:0::2"}});
  answer["User"] = {{"101", {{"ID", 101}, {"LoginName", "alice@example.com"}, {"DisplayName", "Alice"}}},
                    {"102", {{"ID", 102}, {"LoginName", "bob@example.com"}}}};
  const auto status = read_status(answer);
  REQUIRE(status.has_value());
  CHECK(status->is_running());
  CHECK(status->stable_id == "nAliceCNTRL");
  CHECK(status->user_id == 101);
  CHECK(status->login_name == "alice@example.com");
  CHECK(status->display_name == "Alice");
  CHECK(status->hostname == "laptop");
  CHECK(status->dns_name == kLaptop);
  CHECK(status->tailnet == "example.com");
  CHECK(status->ips == std::vector<std::string>{"100.64.0.2", "fd7a:115c:a1e0::2"});
  CHECK(status->cert_domains == std::vector<std::string>{kLaptop});
  CHECK(status->tags.empty());
}

TEST_CASE("a node that is not signed in has a state and nothing else") {
  // As tailscaled 1.98 says it.
  const Json answer = Json::parse(R"({"BackendState":"NeedsLogin","TailscaleIPs":null,"Self":{"ID":"","HostName":"vm",
      "DNSName":"","UserID":0,"TailscaleIPs":null},"CurrentTailnet":null,"CertDomains":null,"User":null})");
  const auto status = read_status(answer);
  REQUIRE(status.has_value());
  CHECK(status->backend_state == "NeedsLogin");
  CHECK_FALSE(status->is_running());
  CHECK(status->user_id == 0);
  CHECK(status->ips.empty());
  CHECK(read_status(Json::parse(R"({"BackendState":"NoState"})")).has_value());
  CHECK(read_status(Json::parse(R"({"BackendState":"Stopped","Self":null})")).has_value());
}

TEST_CASE("a status without what legerd judges by is garbled") {
  CHECK(odd_field(Json::array()) == "BackendState");
  CHECK(odd_field([](Json&, Json&) {}).empty());
  CHECK(odd_field([](Json& status, Json&) { status["BackendState"] = 7; }) == "BackendState");
  CHECK(odd_field([](Json& status, Json&) { status.erase("Self"); }) == "Self");
  CHECK(odd_field([](Json& status, Json&) { status["Self"] = nullptr; }) == "Self");
  CHECK(odd_field([](Json&, Json& self) { self.erase("ID"); }) == "Self.ID");
  CHECK(odd_field([](Json&, Json& self) { self["UserID"] = 0; }) == "Self.UserID");
  CHECK(odd_field([](Json&, Json& self) { self["UserID"] = "101"; }) == "Self.UserID");
  CHECK(odd_field([](Json&, Json& self) { self["Tags"] = "tag:ci"; }) == "Self.Tags");
  // Its own addresses are what it must not authenticate by.
  CHECK(odd_field([](Json&, Json& self) { self["TailscaleIPs"] = nullptr; }) == "Self.TailscaleIPs");
  CHECK(odd_field([](Json&, Json& self) { self["TailscaleIPs"] = Json::array(); }) == "Self.TailscaleIPs");
  CHECK(odd_field([](Json&, Json& self) { self["TailscaleIPs"] = {"100.64.0.2/32"}; }) == "Self.TailscaleIPs");
  CHECK(odd_field([](Json&, Json& self) { self["TailscaleIPs"] = {std::string("100.64.0.2\0x", 12)}; }) ==
        "Self.TailscaleIPs");
  CHECK(odd_field([](Json& status, Json&) { status["CertDomains"] = "laptop"; }) == "CertDomains");
  CHECK(odd_field([](Json& status, Json&) { status["CurrentTailnet"] = 7; }) == "CurrentTailnet");
  CHECK(odd_field([](Json& status, Json&) { status["User"] = {{"101", {{"ID", 102}, {"LoginName", "bob"}}}}; }) ==
        "User.101.ID");
  CHECK(odd_field([](Json& status, Json&) { status["User"] = {{"101", 7}}; }) == "User.101");
}

TEST_CASE("a tagged node is this node without a user") {
  const auto status = read_status(status_answer({.user_id = 0, .tags = {"tag:server"}}));
  REQUIRE(status.has_value());
  CHECK(status->tags == std::vector<std::string>{"tag:server"});
  CHECK(status->login_name.empty());
}

}  // namespace
}  // namespace leger
