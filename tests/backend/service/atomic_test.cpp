#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <utility>

#include "backend/service/deployer.h"
#include "tests/backend/service/apps.h"
#include "tests/backend/service/host.h"
#include "tests/quadlets/archives.h"

// Every single call over the seams fails, or is the last one before a crash: the app is wholly old or wholly new then.

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::Daemon;
using test::shop_v1;
using test::shop_v2;
using test::TemporaryFolder;

using Action = std::function<Result<Deployment>(Daemon&)>;

// A host whose state is kept, so that each trial begins with the same one.
class Trials {
 public:
  explicit Trials(const std::function<void(Daemon&)>& prepare, Action action) : action_(std::move(action)) {
    Json state;
    {
      Daemon daemon(host(), {});
      prepare(daemon);
      old_ = daemon.picture();
      state = daemon.machine.save();
    }
    machine_ = state;
    fs::copy(host(), folder_ / "kept", fs::copy_options::recursive);
    Daemon daemon(host(), machine_);
    const auto row = action_(daemon);
    REQUIRE(row);
    REQUIRE((row->state == "deployed" || row->state == "removed"));
    new_ = daemon.picture();
    REQUIRE(new_ != old_);
  }

  std::string host() const { return folder_ / "host"; }
  const std::string& old_picture() const { return old_; }
  const std::string& new_picture() const { return new_; }
  const Json& machine() const { return machine_; }
  const Action& action() const { return action_; }

  void reset() {
    fs::remove_all(host());
    fs::copy(folder_ / "kept", host(), fs::copy_options::recursive);
  }

  // Runs `work` in a process that ends at the `nth` call; false where it ended by itself before. The machine is left in
  // machine_after().
  bool crash(int nth, const Json& machine, const std::function<void(Daemon&)>& work) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        Daemon daemon(host(), machine);
        const auto save = [&] { test::write_file(folder_ / "machine", dump(daemon.machine.save())); };
        daemon.trouble.crash_at = nth;
        daemon.trouble.crash = [&] {
          save();
          _exit(7);
        };
        work(daemon);
        save();
        _exit(0);
      } catch (...) {
        _exit(9);
      }
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE((WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7));
    return WEXITSTATUS(status) == 7;
  }
  Json machine_after() const { return Json::parse(test::read_file(folder_ / "machine")); }

 private:
  TemporaryFolder folder_;
  Action action_;
  Json machine_;
  std::string old_;
  std::string new_;
};

void prepare_update(Daemon& daemon) {
  daemon.set_secret("token", "alpha");
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  REQUIRE(row->state == "deployed");
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.upload("shop", shop_v2(), {"token"}) == 2);
}

// Meanwhile another image got the name of the first release's.
void prepare_rollback(Daemon& daemon) {
  prepare_update(daemon);
  REQUIRE(daemon.install(2)->state == "deployed");
  daemon.machine.podman.local_images.push_back({.id = "other", .names = {}});
  REQUIRE(test::run(daemon.loop, daemon.machine.podman.tag_image("other", "localhost/web:1")));
}

void prepare_first(Daemon& daemon) {
  daemon.set_secret("token", "beta");
  daemon.set_secret("extra", "gamma");
  REQUIRE(daemon.upload("shop", shop_v2(), {"token"}) == 1);
  // Volumes outlive everything: made beforehand, so that they are no difference.
  daemon.machine.podman.volumes.insert("systemd-data");
  // One of the two networks is somebody else's, and outlives everything too.
  daemon.machine.podman.networks.insert("systemd-net");
}

Result<Deployment> install_first(Daemon& daemon) { return daemon.install(1); }

Result<Deployment> install_second(Daemon& daemon) { return daemon.install(2); }

// Two apps with one secret, which has a newer value.
void prepare_sync(Daemon& daemon) {
  daemon.set_secret("token", "alpha");
  REQUIRE(daemon.install(daemon.upload("shop", shop_v1(), {"token"}))->state == "deployed");
  const test::Files other{{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"}};
  REQUIRE(daemon.install(daemon.upload("other", other))->state == "deployed");
  daemon.set_secret("token", "beta");
}

// The other app comes while the shop has the older value.
void prepare_neighbour(Daemon& daemon) {
  daemon.set_secret("token", "alpha");
  REQUIRE(daemon.install(daemon.upload("shop", shop_v1(), {"token"}))->state == "deployed");
  daemon.set_secret("token", "beta");
  const test::Files other{{"other.container", "[Container]\nImage=localhost/other:1\nSecret=token\n"}};
  REQUIRE(daemon.upload("other", other) == 2);
}

Result<Deployment> sync_secrets(Daemon& daemon) {
  const auto id = test::run(daemon.loop, daemon.deployer().sync(test::at_socket(daemon.user)));
  if (!id) return Fail(id.error());
  return daemon.deployments().get(*id);
}

Result<Deployment> go_back(Daemon& daemon) { return daemon.go_back("shop"); }

Result<Deployment> remove_shop(Daemon& daemon) { return daemon.remove("shop"); }

void check_staging(Daemon& daemon) {
  const auto live = daemon.deployments().live();
  REQUIRE(live);
  for (const std::string& id : daemon.staged()) CHECK(std::ranges::contains(*live, id, &Deployment::id));
}

// Every row has ended, and says why where it did not come to its goal.
void check_rows(Daemon& daemon) {
  REQUIRE(daemon.deployments().unfinished());
  CHECK(daemon.deployments().unfinished()->empty());
  const auto rows = daemon.deployments().list({});
  REQUIRE(rows);
  for (const Deployment& row : *rows) {
    CHECK(row.finished_at);
    const bool good = row.state == "deployed" || row.state == "removed";
    CHECK(row.error.empty() == good);
  }
}

// After `fail`, the n-th call fails, for every n until all calls were good.
void fail_everywhere(Trials& trials, int test::Trouble::* where) {
  for (int n = 1; n < 300; ++n) {
    CAPTURE(n);
    trials.reset();
    Daemon daemon(trials.host(), trials.machine());
    const auto rows_before = daemon.deployments().count("").value_or(99);
    daemon.trouble.calls.clear();
    daemon.trouble.*where = n;
    auto row = trials.action()(daemon);
    if (static_cast<int>(daemon.trouble.calls.size()) < n) {
      CHECK(row);
      return;
    }
    CAPTURE(daemon.trouble.calls[static_cast<std::size_t>(n - 1)]);
    daemon.trouble.*where = 0;
    if (!row) {
      CHECK(daemon.deployments().count("") == rows_before);
      CHECK(daemon.picture() == trials.old_picture());
    } else if (row->state == "failed") {
      // Only a removal may end so after one failure: the app is gone, and a second removal takes what stayed behind.
      REQUIRE(row->kind == "remove");
      CHECK(daemon.machine.running.empty());
      row = trials.action()(daemon);
      REQUIRE(row);
      CHECK(row->state == "removed");
      CHECK(daemon.picture() == trials.new_picture());
    } else {
      const bool is_new = row->state == "deployed" || row->state == "removed";
      CHECK((is_new || row->state == "rolled_back"));
      // What could not be removed of the generation before goes at the next start.
      if (row->state == "deployed" && daemon.picture() != trials.new_picture()) daemon.recover();
      CHECK(daemon.picture() == (is_new ? trials.new_picture() : trials.old_picture()));
    }
    // A folder that could not be removed is removed at the next start; nothing else happens then.
    const std::string before = daemon.picture();
    daemon.recover();
    CHECK(daemon.picture() == before);
    check_staging(daemon);
    if (row && row->kind == "install") check_rows(daemon);
  }
  FAIL("there was no end of calls");
}

void check_after_recovery(Trials& trials, const Json& machine) {
  Daemon daemon(trials.host(), machine);
  daemon.recover();
  const std::string picture = daemon.picture();
  const bool is_new = picture == trials.new_picture();
  CHECK((is_new || picture == trials.old_picture()));
  check_staging(daemon);
  check_rows(daemon);
  // And the way is free for the same again.
  if (is_new) return;
  const auto row = trials.action()(daemon);
  REQUIRE(row);
  CHECK(daemon.picture() == trials.new_picture());
}

// In the process that may crash.
void run_whole(Trials& trials, Daemon& daemon) {
  if (!trials.action()(daemon)) throw std::runtime_error("refused");
}

void crash_everywhere(Trials& trials) {
  const auto work = [&trials](Daemon& daemon) { run_whole(trials, daemon); };
  for (int n = 1; n < 300; ++n) {
    CAPTURE(n);
    trials.reset();
    const bool crashed = trials.crash(n, trials.machine(), work);
    if (!crashed) return;
    check_after_recovery(trials, trials.machine_after());
  }
  FAIL("there was no end of calls");
}

}  // namespace

TEST_CASE("An update of which any one call fails leaves the app wholly old or wholly new") {
  Trials trials(prepare_update, install_second);
  SUBCASE("the call does nothing") { fail_everywhere(trials, &test::Trouble::fail_before); }
  SUBCASE("the call does its work and the answer is lost") { fail_everywhere(trials, &test::Trouble::fail_after); }
}

TEST_CASE("A first install of which any one call fails leaves nothing or the whole app") {
  Trials trials(prepare_first, install_first);
  SUBCASE("the call does nothing") { fail_everywhere(trials, &test::Trouble::fail_before); }
  SUBCASE("the call does its work and the answer is lost") { fail_everywhere(trials, &test::Trouble::fail_after); }
}

TEST_CASE("A rollback on request of which any one call fails leaves the app wholly as it was or wholly as before") {
  Trials trials(prepare_rollback, go_back);
  SUBCASE("the call does nothing") { fail_everywhere(trials, &test::Trouble::fail_before); }
  SUBCASE("the call does its work and the answer is lost") { fail_everywhere(trials, &test::Trouble::fail_after); }
}

TEST_CASE("After a crash at any call of a rollback on request the next start makes the app wholly one or the other") {
  Trials trials(prepare_rollback, go_back);
  crash_everywhere(trials);
}

TEST_CASE("A removal of which any one call fails leaves the app, or goes to its end when it is repeated") {
  Trials trials(prepare_update, remove_shop);
  SUBCASE("the call does nothing") { fail_everywhere(trials, &test::Trouble::fail_before); }
  SUBCASE("the call does its work and the answer is lost") { fail_everywhere(trials, &test::Trouble::fail_after); }
}

TEST_CASE("A sync of which any one call fails leaves every user of the secret with the old or the new value") {
  Trials trials(prepare_sync, sync_secrets);
  SUBCASE("the call does nothing") { fail_everywhere(trials, &test::Trouble::fail_before); }
  SUBCASE("the call does its work and the answer is lost") { fail_everywhere(trials, &test::Trouble::fail_after); }
}

TEST_CASE("An install that moves a secret of another app and of which any one call fails is whole for both") {
  Trials trials(prepare_neighbour, install_second);
  fail_everywhere(trials, &test::Trouble::fail_after);
}

TEST_CASE("After a crash at any call of a sync the next start gives every user the old or the new value") {
  Trials trials(prepare_sync, sync_secrets);
  crash_everywhere(trials);
}

TEST_CASE("After a crash at any call of an install that moves a secret of another app both are whole") {
  Trials trials(prepare_neighbour, install_second);
  crash_everywhere(trials);
}

TEST_CASE("After a crash at any call of an update the next start makes the app wholly old or wholly new") {
  Trials trials(prepare_update, install_second);
  crash_everywhere(trials);
}

TEST_CASE("After a crash at any call of a first install the next start leaves nothing or the whole app") {
  Trials trials(prepare_first, install_first);
  crash_everywhere(trials);
}

TEST_CASE("After a crash at any call of a removal the next start finishes it") {
  Trials trials(prepare_update, remove_shop);
  crash_everywhere(trials);
}

TEST_CASE("A crash at any call of the recovery itself is recovered from as well") {
  Trials trials(prepare_update, install_second);
  const auto install = [&trials](Daemon& daemon) { run_whole(trials, daemon); };
  // The first look at the health of the update: everything is new by then, and nothing is committed.
  int look = 0;
  {
    trials.reset();
    Daemon daemon(trials.host(), trials.machine());
    daemon.trouble.calls.clear();
    REQUIRE(trials.action()(daemon));
    const auto& calls = daemon.trouble.calls;
    const auto started =
        std::ranges::find_if(calls, [](const std::string& call) { return call.starts_with("restart "); });
    look = static_cast<int>(std::find(started, calls.end(), "containers") - calls.begin()) + 1;
  }
  for (int n = 1; n < 300; ++n) {
    CAPTURE(n);
    trials.reset();
    REQUIRE(trials.crash(look, trials.machine(), install));
    const bool crashed = trials.crash(n, trials.machine_after(), [](Daemon& daemon) { daemon.recover(); });
    check_after_recovery(trials, trials.machine_after());
    if (!crashed) return;
  }
  FAIL("there was no end of calls");
}

}  // namespace leger
