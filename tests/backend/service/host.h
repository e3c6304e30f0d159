#pragma once

// A host for tests of the deployer: systemd and Podman in memory, a real folder, and legerd's parts on a real database,
// which can be ended and started again, in another process too. Every call over a seam can be made to fail, or to be
// the last thing that the process does.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/json.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/service/accounts.h"
#include "backend/service/deployer.h"
#include "backend/service/vault.h"
#include "backend/store/database.h"
#include "tests/backend/service/audit.h"
#include "tests/fakes/fake_podman.h"
#include "tests/fakes/fake_units.h"
#include "tests/support.h"

namespace leger::test {

// Which call over the seams goes wrong, counted from 1 and over all three; 0 is none.
struct Trouble {
  enum class Next { good, fails_before, fails_after };
  int fail_before = 0;  // the call fails and does nothing
  int fail_after = 0;   // the call does its work, and its answer is lost
  int crash_at = 0;     // the process ends instead of the call
  std::function<void()> crash;
  std::function<void(const std::string&)> watch;  // sees each call before it is made
  std::vector<std::string> calls;

  Next next(const std::string& call);
};

// The machine without legerd: what systemd and Podman know, and what runs. Its state can be written down and read.
class Machine {
 public:
  Machine(Loop& loop, std::string quadlet_dir) : units(loop), quadlet_dir_(std::move(quadlet_dir)) {
    units.set_generator([this](FakeUnits&) { generate(); });
  }

  FakeUnits units;
  FakePodman podman;
  // What each running service runs: its text when systemd read it, the bundled files and secrets when it started.
  std::map<std::string, std::string> running;

  void started(const std::string& unit);
  void stopped(const std::string& unit) { running.erase(unit); }
  // Names of the units that systemd has loaded from a file.
  std::vector<std::string> loaded();
  Json save();
  void load(const Json& state);
  // The quadlets and files of all apps, what runs, and Podman's secrets and networks, as text to be compared.
  std::string picture();

 private:
  struct Quadlet {
    std::string path;
    std::string text;
  };
  void generate();
  void keep(const std::string& unit, const std::string& path, const std::string& text);

  std::string quadlet_dir_;
  std::map<std::string, Quadlet> quadlets_;  // by unit, as read at the last reload
};

// legerd's parts over a folder and a machine, from start to end of one process.
class Daemon {
 public:
  Daemon(const std::string& folder, const Json& machine, bool generator_is_there = true);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  SystemClock clock;
  Loop loop;
  Trouble trouble;
  Machine machine;
  std::string user;
  std::unique_ptr<Database> database;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;

 public:
  DeployParts deploy_parts();
  Deployer& deployer();
  SecretService& secrets();
  Audit& audit();
  Deployments& deployments();
  Installer& installer();

  void set_secret(const std::string& name, const std::string& value);
  // Uploads a bundle of the app `name`; its release's number.
  std::uint64_t upload(const std::string& name, const std::map<std::string, std::string>& files,
                       const std::vector<std::string>& secrets_required = {});
  // Runs an install or a removal to its end; the row.
  Result<Deployment> install(std::uint64_t version, InstallOptions options = {});
  Result<Deployment> remove(const std::string& name, Deployer::Volumes volumes = Deployer::Volumes::keep);
  Result<Json> plan(std::uint64_t version);
  Result<Deployment> go_back(const std::string& name);
  void recover();
  // The machine's picture, and what legerd says is live.
  std::string picture();
  std::vector<std::string> staged();
};

inline Result<Json> Daemon::plan(std::uint64_t version) {
  const auto plan = run(loop, deployer().plan(at_socket(user), version));
  if (!plan) return Fail(plan.error());
  return Json::parse(*plan);
}

// The bytes of a bundle.
std::string make_bundle(const std::string& name, const std::map<std::string, std::string>& files,
                        const std::vector<std::string>& secrets_required = {});

}  // namespace leger::test
