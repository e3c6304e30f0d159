#include "backend/service/plan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "backend/base/json.h"

namespace leger {
namespace {

constexpr const char* kLive = "/q/shop";

AppUnit unit(std::string name, std::string source, std::string text, std::vector<std::string> secrets = {}) {
  return {.name = std::move(name),
          .source = std::move(source),
          .image = "i",
          .secrets = std::move(secrets),
          .text = std::move(text)};
}

// A service that mounts a file and a folder and uses a secret, one that uses nothing, a network and a volume.
Generation shop() {
  Generation generation;
  generation.units = {
      unit("net-network.service", "net.network", "create net"), unit("plain.service", "plain.container", "run plain"),
      unit("web.service", "web.container",
           "SourcePath=/q/shop/web.container\nrun -v /q/shop/site.conf:/s -v /q/shop/conf.d:/c:ro", {"token"})};
  generation.files = {{"web.container", "1"}, {"plain.container", "1"}, {"net.network", "1"},
                      {"site.conf", "1"},     {"site.conf2", "1"},      {"conf.d/a", "1"}};
  generation.secrets = {{"token", 1}};
  return generation;
}

std::string change_of(const Plan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.units, name, &PlannedUnit::name);
  if (found == plan.units.end()) return "absent";
  std::string text = found->change;
  for (const std::string& reason : found->reasons) text += " [" + reason + "]";
  return text;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("Everything of a new app is added, and its services start") {
  const Plan plan = make_plan(std::nullopt, shop(), kLive);
  CHECK(change_of(plan, "web.service") == "added");
  CHECK(change_of(plan, "net-network.service") == "added");
  CHECK(plan.restart == Names{"plain.service", "web.service"});
  CHECK(plan.stop.empty());
  CHECK(plan.switches);
}

TEST_CASE("The same again changes nothing, starts nothing and leaves the folder") {
  const Plan plan = make_plan(shop(), shop(), kLive);
  for (const PlannedUnit& planned : plan.units) CHECK(planned.change == "unchanged");
  CHECK(plan.restart.empty());
  CHECK(plan.stop.empty());
  CHECK_FALSE(plan.switches);
}

TEST_CASE("Each kind of difference changes the units that it concerns, and says so") {
  Generation staged = shop();
  Names restart{"web.service"};
  std::string web = "unchanged";
  SUBCASE("unit") {
    staged.units[2].text += " --more";
    staged.files["web.container"] = "2";
    web = "changed [unit] [folder conf.d]";
  }
  SUBCASE("file") {
    staged.files["site.conf"] = "2";
    web = "changed [file site.conf] [folder conf.d]";
  }
  SUBCASE("a file whose name only begins like a mounted one") {
    staged.files["site.conf2"] = "2";
    web = "changed [folder conf.d]";
  }
  SUBCASE("file in a mounted folder") {
    staged.files["conf.d/a"] = "2";
    web = "changed [folder conf.d]";
  }
  SUBCASE("version of a secret") {
    staged.secrets["token"] = 2;
    web = "changed [secret token]";
  }
  SUBCASE("another unit: the mounted folder is another one all the same") {
    staged.units[1].text += " --more";
    staged.files["plain.container"] = "2";
    web = "changed [folder conf.d]";
    restart = {"plain.service", "web.service"};
  }
  const Plan plan = make_plan(shop(), staged, kLive);
  CHECK(change_of(plan, "web.service") == web);
  CHECK(plan.restart == restart);
  CHECK(plan.stop.empty());
}

TEST_CASE("A service that mounts the app's folder itself starts anew at every switch") {
  Generation staged = shop();
  staged.units[1].text = "run -v /q/shop:/all";
  const Generation live = staged;
  staged.files["site.conf"] = "2";
  CHECK(change_of(make_plan(live, staged, kLive), "plain.service") == "changed [folder .]");
}

TEST_CASE("Units that go away are stopped, services before networks, and a changed network restarts nothing") {
  Generation live = shop();
  live.units.insert(live.units.begin(), unit("a-network.service", "a.network", "create a"));
  live.units.push_back(unit("z.service", "z.container", "run z"));
  Generation staged = shop();
  staged.units[0].text = "create net --other";
  staged.units.push_back(unit("new.service", "new.container", "run new"));
  const Plan plan = make_plan(live, staged, kLive);
  CHECK(plan.stop == Names{"z.service", "a-network.service"});
  CHECK(change_of(plan, "z.service") == "removed");
  CHECK(change_of(plan, "a-network.service") == "removed");
  CHECK(change_of(plan, "net-network.service") == "changed [unit]");
  CHECK(change_of(plan, "new.service") == "added");
  CHECK(plan.restart == Names{"new.service"});
}

TEST_CASE("Instances of a template go with it, and stay with one that stays") {
  Generation live = shop();
  live.units.push_back(unit("job@one.service", "job@.container", "run job"));
  live.units.push_back(unit("kept@one.service", "kept@.container", "run kept"));
  Generation staged = shop();
  staged.units.push_back(live.units.back());
  const HostState host{
      .unit_states = {},
      .image_ids = {},
      .instances = {{"job@one.service", {"job@two.service"}}, {"kept@one.service", {"kept@two.service"}}}};
  const Plan plan = make_plan(live, staged, kLive, host);
  CHECK(plan.stop == Names{"job@two.service", "job@one.service"});
  CHECK(change_of(plan, "job@two.service") == "removed");
}

TEST_CASE("Another default instance of a template leaves those alone that somebody started") {
  Generation live = shop();
  live.units.push_back(unit("job@one.service", "job@.container", "run job"));
  Generation staged = shop();
  staged.units.push_back(unit("job@two.service", "job@.container", "run job"));
  const HostState host{
      .unit_states = {}, .image_ids = {}, .instances = {{"job@one.service", {"job@two.service", "job@three.service"}}}};
  const Plan plan = make_plan(live, staged, kLive, host);
  CHECK(plan.stop == Names{"job@one.service"});
  CHECK(change_of(plan, "job@two.service") == "added");
}

}  // namespace leger
