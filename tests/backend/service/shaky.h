#pragma once

// The seams of the deployer, each call of which can be made to fail before or after it is done, or to crash: what
// stands between legerd and the machine of host.h.

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/task.h"
#include "quadlets/installer.h"
#include "quadlets/podman.h"
#include "systemd/units.h"
#include "tests/backend/service/host.h"

namespace leger::test {

inline const Error kTrouble{Code::upstream_failed, "this call was made to fail.", "Do nothing.", {}};

template <class T>
Task<Result<T>> shake(Trouble& trouble, std::string call, Task<Result<T>> real) {
  const auto next = trouble.next(call);
  if (next == Trouble::Next::fails_before) co_return Fail(kTrouble);
  auto result = co_await real;
  if (next == Trouble::Next::fails_after) co_return Fail(kTrouble);
  co_return result;
}

class ShakyUnits final : public Units {
 public:
  ShakyUnits(Machine& machine, Trouble& trouble) : machine_(machine), trouble_(trouble) {}
  Task<Result<void>> reload() override { return shake(trouble_, "reload", machine_.units.reload()); }
  Task<Result<std::string>> start(std::string unit, std::uint64_t timeout_ms) override {
    return shake(trouble_, "start " + unit, run(machine_.units.start(unit, timeout_ms), unit));
  }
  Task<Result<std::string>> stop(std::string unit, std::uint64_t timeout_ms) override {
    return shake(trouble_, "stop " + unit, halt(machine_.units.stop(unit, timeout_ms), unit));
  }
  Task<Result<std::string>> restart(std::string unit, std::uint64_t timeout_ms) override {
    return shake(trouble_, "restart " + unit, run(machine_.units.restart(unit, timeout_ms), unit));
  }
  Task<Result<void>> reset_failed(std::string unit) override {
    return shake(trouble_, "reset_failed " + unit, machine_.units.reset_failed(unit));
  }
  Task<Result<UnitState>> state(std::string unit) override {
    return shake(trouble_, "state " + unit, machine_.units.state(unit));
  }
  Task<Result<std::vector<std::string>>> instances(std::string template_file) override {
    return shake(trouble_, "instances " + template_file, machine_.units.instances(template_file));
  }
  Task<Result<std::vector<std::string>>> unit_files() override { return shake(trouble_, "unit_files", loaded()); }

 private:
  Task<Result<std::string>> run(Task<Result<std::string>> job, std::string unit) {
    auto result = co_await job;
    if (result && *result == "done") machine_.started(unit);
    if (result && *result != "done") machine_.stopped(unit);
    co_return result;
  }
  Task<Result<std::string>> halt(Task<Result<std::string>> job, std::string unit) {
    auto result = co_await job;
    if (result) machine_.stopped(unit);
    co_return result;
  }
  Task<Result<std::vector<std::string>>> loaded() { co_return machine_.loaded(); }

  Machine& machine_;
  Trouble& trouble_;
};

class ShakyPodman final : public Podman {
 public:
  ShakyPodman(Podman& real, Trouble& trouble) : real_(real), trouble_(trouble) {}
  bool keeps_values() const override { return real_.keeps_values(); }
  Task<Result<void>> ping() override { return shake(trouble_, "ping", real_.ping()); }
  Task<Result<std::vector<PodmanSecret>>> secrets() override { return shake(trouble_, "secrets", real_.secrets()); }
  Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) override {
    return shake(trouble_, "put_secret " + name, real_.put_secret(name, std::move(value), std::move(labels)));
  }
  Task<Result<void>> remove_secret(std::string name) override {
    return shake(trouble_, "remove_secret " + name, real_.remove_secret(name));
  }
  Task<Result<std::vector<PodmanContainer>>> containers() override {
    return shake(trouble_, "containers", real_.containers());
  }
  Task<Result<std::vector<PodmanImage>>> images() override { return shake(trouble_, "images", real_.images()); }
  Task<Result<std::vector<HealthProbe>>> health_log(std::string container) override {
    return shake(trouble_, "health_log", real_.health_log(container));
  }
  Task<Result<void>> pull_image(std::string reference, std::string policy, PullWatcher watcher) override {
    return shake(trouble_, "pull_image " + reference,
                 real_.pull_image(reference, std::move(policy), std::move(watcher)));
  }
  Task<Result<void>> tag_image(std::string image, std::string name) override {
    return shake(trouble_, "tag_image " + name, real_.tag_image(std::move(image), name));
  }
  Task<Result<void>> untag_image(std::string name) override {
    return shake(trouble_, "untag_image " + name, real_.untag_image(name));
  }
  Task<Result<std::vector<PodmanObject>>> list_networks() override {
    return shake(trouble_, "list_networks", real_.list_networks());
  }
  Task<Result<std::vector<PodmanObject>>> list_volumes() override {
    return shake(trouble_, "list_volumes", real_.list_volumes());
  }
  Task<Result<void>> remove_network(std::string name) override {
    return shake(trouble_, "remove_network " + name, real_.remove_network(name));
  }
  Task<Result<void>> remove_volume(std::string name) override {
    return shake(trouble_, "remove_volume " + name, real_.remove_volume(name));
  }

 private:
  Podman& real_;
  Trouble& trouble_;
};

class ShakyFiles final : public FileSystem {
 public:
  explicit ShakyFiles(Trouble& trouble) : trouble_(trouble) {}
  int make_folder(const std::string& path) override { return fails("make_folder") ? EIO : real_.make_folder(path); }
  int exchange(const std::string& a, const std::string& b) override {
    return fails("exchange") ? EIO : real_.exchange(a, b);
  }
  int rename(const std::string& from, const std::string& to) override {
    return fails("rename") ? EIO : real_.rename(from, to);
  }
  int remove_tree(const std::string& path) override { return fails("remove_tree") ? EIO : real_.remove_tree(path); }
  int sync_folder(const std::string& path) override { return fails("sync_folder") ? EIO : real_.sync_folder(path); }

 private:
  // A call of the file system fails whole or not at all.
  bool fails(const std::string& call) { return trouble_.next(call) != Trouble::Next::good; }

  PosixFileSystem real_;
  Trouble& trouble_;
};

}  // namespace leger::test
