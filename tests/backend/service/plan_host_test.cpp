#include <doctest/doctest.h>

#include <algorithm>

#include "backend/base/json.h"
#include "backend/service/plan.h"

// What a plan takes from systemd and Podman, and what its id stands for.

namespace leger {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kLive = "/q/shop";

AppUnit container(const std::string& stem, const std::string& arguments, const std::string& unit_lines = {}) {
  return {
      .name = stem + ".service",
      .source = stem + ".container",
      .image = "localhost/" + stem,
      .secrets = {},
      .text = "[Unit]\n" + unit_lines + "[Service]\nExecStart=podman run " + arguments + " localhost/" + stem + "\n",
      .image_id = "id-" + stem};
}

Generation shop() {
  Generation generation;
  generation.units = {container("db", "-v systemd-data:/data"),
                      container("web", "--publish 127.0.0.1:8099:80 -v systemd-cache:/c", "Requires=db.service\n")};
  generation.files = {{"db.container", "1"}, {"web.container", "1"}};
  generation.secrets = {{"token", 3}};
  generation.release_sha256 = "sha";
  return generation;
}

HostState all_well() {
  return {.unit_states = {{"db.service", "active"}, {"web.service", "active"}},
          .image_ids = {{"localhost/db", "id-db"}, {"localhost/web", "id-web"}}};
}

std::string change_of(const Plan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.units, name, &PlannedUnit::name);
  if (found == plan.units.end()) return "absent";
  std::string text = found->change;
  for (const std::string& reason : found->reasons) text += " [" + reason + "]";
  return text;
}

struct Case {
  std::optional<Generation> live = shop();
  Generation staged = shop();
  HostState host = all_well();
  std::vector<Finding> findings;
  std::string live_id = "d1";

  Plan plan() const { return make_plan(live, staged, kLive, host); }
  std::string id() const {
    const Plan made = plan();
    return plan_id({.release_sha256 = staged.release_sha256,
                    .live_id = live_id,
                    .live = live,
                    .staged = staged,
                    .host = host,
                    .findings = findings,
                    .plan = made});
  }
};

}  // namespace

TEST_CASE("A service that is not running is started, though nothing of it changed") {
  Case one;
  CHECK(one.plan().restart.empty());
  for (const char* state : {"inactive", "failed", "activating", "deactivating"}) {
    CAPTURE(state);
    one.host.unit_states["web.service"] = state;
    CHECK(change_of(one.plan(), "web.service") == "unchanged [not running]");
    CHECK(one.plan().restart == Names{"web.service"});
  }
  one.host.unit_states["web.service"] = "reloading";
  CHECK(one.plan().restart.empty());
}

TEST_CASE("What a service is bound to takes it along, and comes before it") {
  Case one;
  one.staged.units[0].text += "# other\n";
  CHECK(change_of(one.plan(), "db.service") == "changed [unit]");
  CHECK(change_of(one.plan(), "web.service") == "unchanged [needs db.service]");
  CHECK(one.plan().restart == Names{"db.service", "web.service"});
}

TEST_CASE("The restart set is in the order of dependencies, not of names") {
  Case one;
  one.live.reset();
  one.staged.units[0].text = "[Unit]\nAfter=web.service\n";
  one.staged.units[1].text = "[Unit]\n";
  CHECK(one.plan().restart == Names{"web.service", "db.service"});
}

TEST_CASE("Units that go are stopped before what they stand on") {
  Case one;
  one.staged.units.clear();
  CHECK(one.plan().stop == Names{"web.service", "db.service"});
}

TEST_CASE("An image that is another one under the same name changes its service") {
  Case one;
  SUBCASE("another image") { one.staged.units[1].image_id = "id-new"; }
  SUBCASE("it is gone and will be pulled") { one.staged.units[1].image_id = ""; }
  CHECK(change_of(one.plan(), "web.service") == "changed [image]");
  CHECK(one.plan().restart == Names{"web.service"});
}

TEST_CASE("An image of which nothing was recorded is no reason") {
  Case one;
  one.live->units[1].image_id = "";
  CHECK(change_of(one.plan(), "web.service") == "unchanged");
}

TEST_CASE("The plan names what is pulled, what is published and what is mounted by what starts") {
  Case one;
  CHECK(one.plan().images.empty());
  CHECK(one.plan().ports == Names{"127.0.0.1:8099/tcp"});
  CHECK(one.plan().volumes.empty());
  one.host.image_ids["localhost/web"] = "";
  one.host.unit_states["db.service"] = "failed";
  CHECK(one.plan().images == Names{"localhost/web"});
  CHECK(one.plan().restart == Names{"db.service", "web.service"});
  CHECK(one.plan().volumes == Names{"systemd-data", "systemd-cache"});
}

TEST_CASE("The contract's plan has all its fields, with lists of references, ports and Podman's names") {
  Case one;
  one.live.reset();
  one.host.image_ids["localhost/web"] = "";
  note(one.findings, "quarantined", "", "why");
  const Json json = planned_json("p1", one.plan(), one.staged, one.findings);
  CHECK(json["plan_id"] == "p1");
  CHECK(json["units"][1] == Json{{"name", "web.service"}, {"change", "added"}, {"reasons", Json::array()}});
  CHECK(json["restart"] == Json{"db.service", "web.service"});
  CHECK(json["findings"][0] == Json{{"id", "quarantined:"}, {"level", "note"}, {"file", ""}, {"message", "why"}});
  CHECK(json["images"] == Json::array({"localhost/web"}));
  CHECK(json["ports"] == Json::array({"127.0.0.1:8099/tcp"}));
  CHECK(json["secrets"] == Json::array({Json{{"name", "token"}, {"version", 3}}}));
  CHECK(json["volumes"] == Json{"systemd-data", "systemd-cache"});
  CHECK(json.size() == 8);
  Json kept = json;
  kept.erase("plan_id");
  CHECK(Json::parse(plan_json(one.plan(), one.staged, one.findings)) == kept);
}

TEST_CASE("A plan has the same id as long as all is the same, and another one where anything is another") {
  const std::string before = Case().id();
  CHECK(before.size() == 64);
  CHECK(Case().id() == before);
  Case other;
  SUBCASE("the bundle") { other.staged.release_sha256 = "other"; }
  SUBCASE("the deployment that is live") { other.live_id = "d2"; }
  SUBCASE("the app went away") { other.live.reset(); }
  SUBCASE("a live unit") { other.live->units[0].text += "x"; }
  SUBCASE("a live file") { other.live->files["db.container"] = "2"; }
  SUBCASE("a live secret") { other.live->secrets["token"] = 2; }
  SUBCASE("a new secret") { other.staged.secrets["token"] = 4; }
  SUBCASE("a unit's state") { other.host.unit_states["db.service"] = "failed"; }
  SUBCASE("an image") { other.staged.units[0].image_id = "id-new"; }
  SUBCASE("an image that is gone") { other.host.image_ids["localhost/db"] = ""; }
  SUBCASE("a finding") { note(other.findings, "rule", "file", "message"); }
  CHECK(other.id() != before);
}

TEST_CASE("A service that changes and starts over and over has one plan, whenever it is looked at") {
  Case one;
  one.staged.units[1].text += "# other\n";
  const std::string before = one.id();
  one.host.unit_states["web.service"] = "activating";
  CHECK(one.id() == before);
  one.host.unit_states["web.service"] = "failed";
  CHECK(one.id() != before);
}

}  // namespace leger
