// Networks and volumes of Podman that were there before an app, and those that somebody made after it.

#include "backend/service/found_objects.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "backend/base/clock.h"
#include "tests/backend/service/apps.h"

namespace leger::test {
namespace {

using Names = std::vector<std::string>;
using Objects = std::set<std::string>;

const Error kNo{Code::upstream_failed, "Podman does not.", {}, {}};

Generation journal_of(Daemon& daemon, const std::string& app) {
  const auto live = daemon.deployments().live(app);
  REQUIRE((live && *live));
  return generation_from_json((*live)->journal).value();
}

// Somebody makes both objects of the shop by hand, at a time from now.
void make_by_hand(Daemon& daemon, std::int64_t seconds_from_now = 0) {
  for (const char* name : {"systemd-net", "systemd-data"}) {
    daemon.machine.podman.made_at[name] = daemon.clock.wall_seconds() + seconds_from_now;
  }
  daemon.machine.podman.networks.insert("systemd-net");
  daemon.machine.podman.volumes.insert("systemd-data");
}

std::string install_v1(Daemon& daemon) {
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  return row->state;
}

// A release with one more network, and the one after it without; the row of the second install.
Deployment give_up_network(Daemon& daemon) {
  Files more = shop_v1();
  more["more.network"] = "[Network]\n";
  REQUIRE(daemon.install(daemon.upload("shop", more, {"token"}))->state == "deployed");
  REQUIRE(daemon.machine.podman.networks.contains("systemd-more"));
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  REQUIRE(row->state == "deployed");
  return *row;
}

bool was_called(const Daemon& daemon, const std::string& call) {
  return std::ranges::contains(daemon.trouble.calls, call);
}

}  // namespace

TEST_CASE("What was there before the app is in the journal before anything is touched, and outlives its failure") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  make_by_hand(daemon, -60);
  bool was_looked_at = false;
  daemon.trouble.watch = [&](const std::string& call) {
    if (call != "put_secret token") return;
    const auto rows = daemon.deployments().unfinished();
    const auto generation = generation_from_json(rows->front().journal);
    CHECK(generation->found_networks == Names{"systemd-net"});
    CHECK(generation->found_volumes == Names{"systemd-data"});
    was_looked_at = true;
  };
  daemon.machine.units.set_job("web.service", FakeUnits::Job::failed);
  CHECK(install_v1(daemon) == "rolled_back");
  CHECK(was_looked_at);
  CHECK(daemon.machine.podman.networks == Objects{"systemd-net"});
  CHECK(daemon.machine.podman.volumes == Objects{"systemd-data"});
}

TEST_CASE("What was there before the app is found by every generation of it, and outlives a removal with volumes") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  make_by_hand(daemon, -60);
  REQUIRE(install_v1(daemon) == "deployed");
  REQUIRE(install_v1(daemon) == "deployed");
  const Generation generation = journal_of(daemon, "shop");
  CHECK(generation.networks.empty());
  CHECK(generation.volumes.empty());
  CHECK(generation.found_networks == Names{"systemd-net"});
  const auto removed = daemon.remove("shop", Deployer::Volumes::remove);
  REQUIRE(removed);
  CHECK(removed->state == "removed");
  CHECK(daemon.machine.podman.networks == Objects{"systemd-net"});
  CHECK(daemon.machine.podman.volumes == Objects{"systemd-data"});
  // Nor does a removal make it the next app's.
  REQUIRE(install_v1(daemon) == "deployed");
  CHECK(journal_of(daemon, "shop").found_volumes == Names{"systemd-data"});
}

TEST_CASE("A plan says what is there already") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  make_by_hand(daemon, -60);
  const auto plan = daemon.plan(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(plan);
  const std::string findings = dump((*plan)["findings"]);
  CHECK(findings.contains("uses the network systemd-net that is there already"));
  CHECK(findings.contains("uses the volume systemd-data that is there already"));
}

TEST_CASE("A volume that a removal left is the app's own again, and one that was made by hand since is not") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  REQUIRE(daemon.remove("shop")->state == "removed");
  std::int64_t later = 0;
  SUBCASE("left") {}
  SUBCASE("made by hand") { later = 60; }
  make_by_hand(daemon, later);
  REQUIRE(install_v1(daemon) == "deployed");
  const Generation generation = journal_of(daemon, "shop");
  CHECK(generation.volumes == (later == 0 ? Names{"systemd-data"} : Names{}));
  CHECK(generation.found_volumes == (later == 0 ? Names{} : Names{"systemd-data"}));
  // A removal leaves no network.
  CHECK(generation.found_networks == Names{"systemd-net"});
  CHECK(daemon.remove("shop", Deployer::Volumes::remove)->state == "removed");
  CHECK(daemon.machine.podman.volumes.empty() == (later == 0));
}

TEST_CASE("A volume of the name of one that a removal took is somebody else's, also within the same second") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  REQUIRE(daemon.remove("shop", Deployer::Volumes::remove)->state == "removed");
  make_by_hand(daemon);
  REQUIRE(install_v1(daemon) == "deployed");
  CHECK(journal_of(daemon, "shop").found_volumes == Names{"systemd-data"});
}

TEST_CASE("A volume that a first install left which failed is the app's own, its network is gone") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  daemon.machine.units.set_job("worker.service", FakeUnits::Job::failed);
  REQUIRE(install_v1(daemon) == "rolled_back");
  REQUIRE(daemon.machine.podman.volumes.contains("systemd-data"));
  daemon.machine.units.set_job("worker.service", FakeUnits::Job::done);
  REQUIRE(daemon.install(1, {.plan_id = {}, .accept_flags = {}, .retry = Retry::yes})->state == "deployed");
  const Generation generation = journal_of(daemon, "shop");
  CHECK(generation.volumes == Names{"systemd-data"});
  CHECK(generation.networks == Names{"systemd-net"});
}

TEST_CASE("A volume that was made by hand while an install was interrupted is not the app's own") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  const auto version = daemon.upload("shop", shop_v1(), {"token"});
  Deployment row{.id = "interrupted", .user_uuid = daemon.user, .name = "shop", .version = version, .kind = "install"};
  SUBCASE("preflight") { row.state = "preflight"; }
  SUBCASE("pulling") { row.state = "pulling"; }
  row.created_at = rfc3339(daemon.clock.wall_seconds() - 60);
  Generation staged;
  staged.networks = {"systemd-net"};
  staged.volumes = {"systemd-data"};
  row.journal = to_json(staged);
  const AuditRecord audit = daemon.audit().log.record(at_socket(daemon.user), "deployment.install", "shop");
  REQUIRE(run(daemon.loop, daemon.deployments().add(row, audit)));
  make_by_hand(daemon, -30);
  daemon.recover();
  REQUIRE(daemon.deployments().get("interrupted")->state == "rolled_back");
  REQUIRE(daemon.install(version)->state == "deployed");
  CHECK(journal_of(daemon, "shop").found_volumes == Names{"systemd-data"});
  CHECK(journal_of(daemon, "shop").found_networks == Names{"systemd-net"});
}

TEST_CASE("A network that another live app made goes with the last of the two") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  // Of two units of one name the second is refused: only the object of Podman's may have the same.
  Generation staged;
  staged.networks = {"systemd-net", "systemd-other"};
  daemon.machine.podman.networks.insert("systemd-other");
  DeployParts parts = daemon.deploy_parts();
  REQUIRE(run(daemon.loop, part_found(parts, daemon.user, "second", staged)));
  CHECK(staged.networks == Names{"systemd-net"});
  CHECK(staged.found_networks == Names{"systemd-other"});
  daemon.machine.podman.networks.erase("systemd-other");
  REQUIRE(run(daemon.loop, part_found(parts, daemon.user, "second", staged)));
  // What went meanwhile is made by the app.
  CHECK(staged.networks == Names{"systemd-net", "systemd-other"});
}

TEST_CASE("A host whose Podman cannot list its objects gets no release that names some") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  std::string what;
  SUBCASE("networks") { what = "list_networks"; }
  SUBCASE("volumes") { what = "list_volumes"; }
  daemon.machine.podman.fail(what, kNo);
  CHECK_FALSE(daemon.install(daemon.upload("shop", shop_v1(), {"token"})));
  CHECK(daemon.install(daemon.upload("plain", {{"p.container", "[Container]\nImage=localhost/p:1\n"}})));
}

TEST_CASE("What a release has no more is dropped once: a start does not take what was made by hand under its name") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  give_up_network(daemon);
  CHECK_FALSE(daemon.machine.podman.networks.contains("systemd-more"));
  CHECK(journal_of(daemon, "shop").has_dropped_leftovers);
  // Within the second, where its time would not tell.
  daemon.machine.podman.networks.insert("systemd-more");
  daemon.trouble.calls.clear();
  daemon.recover();
  CHECK(daemon.machine.podman.networks.contains("systemd-more"));
  CHECK_FALSE(was_called(daemon, "list_networks"));
}

TEST_CASE("A network that a release added to a container which goes back is removed when the container has left it") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  install_shop(daemon);
  const std::string before = daemon.picture();
  Files more = shop_v1();
  more["web.container"] += "Network=more.network\n";
  more["more.network"] = "[Network]\n";
  more["job.container"] = "[Container]\nImage=localhost/job:1\n";
  daemon.machine.units.set_job("job.service", FakeUnits::Job::failed);
  daemon.trouble.watch = [&daemon](const std::string& call) {
    auto& in_use = daemon.machine.podman.in_use;
    if (call == "restart web.service" && in_use.erase("systemd-more") == 0) in_use.insert("systemd-more");
  };
  const auto row = daemon.install(daemon.upload("shop", more, {"token"}));
  REQUIRE(row);
  CHECK(row->state == "rolled_back");
  CHECK(daemon.picture() == before);
}

TEST_CASE("What could not be dropped is dropped at the next start, unless it is another one by then") {
  const TemporaryFolder folder;
  Daemon daemon(folder.path(), {});
  daemon.set_secret("token", "alpha");
  daemon.machine.podman.fail("remove_network", kNo);
  const Deployment row = give_up_network(daemon);
  CHECK(daemon.machine.podman.networks.contains("systemd-more"));
  CHECK_FALSE(journal_of(daemon, "shop").has_dropped_leftovers);
  daemon.machine.podman.mend();
  bool is_another = false;
  SUBCASE("the same") {}
  SUBCASE("made by hand since") { is_another = true; }
  if (is_another) daemon.machine.podman.made_at["systemd-more"] = *parse_rfc3339(*row.finished_at) + 1;
  daemon.recover();
  CHECK(daemon.machine.podman.networks.contains("systemd-more") == is_another);
  const auto live = daemon.deployments().live("shop");
  REQUIRE((live && *live));
  CHECK((*live)->id == row.id);
  CHECK(generation_from_json((*live)->journal)->has_dropped_leftovers);
  CHECK((*daemon.deployments().kept("shop")).has_value());
}

}  // namespace leger::test
