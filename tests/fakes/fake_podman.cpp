#include "tests/fakes/fake_podman.h"

#include <utility>

namespace leger::test {

void FakePodman::fail(const std::string& name, Error error, unsigned nth) {
  faults_[name] = {std::move(error), nth - 1};
}

void FakePodman::stop() { stopped_ = true; }

void FakePodman::mend() {
  faults_.clear();
  stopped_ = false;
}

Result<void> FakePodman::enter(const std::string& name, const std::string& object) {
  calls.push_back(object.empty() ? name : name + " " + object);
  if (stopped_) {
    return Fail({Code::upstream_failed,
                 "Podman does not answer.",
                 "Start Podman's API socket: systemctl --user enable --now podman.socket",
                 {}});
  }
  const auto fault = faults_.find(name);
  if (fault == faults_.end()) return {};
  if (fault->second.calls_before == 0) return Fail(fault->second.error);
  --fault->second.calls_before;
  return {};
}

Result<void> FakePodman::remove(const std::string& name, const std::string& object, std::set<std::string>& from) {
  if (auto entered = enter(name, object); !entered) return entered;
  if (in_use.contains(object))
    return Fail({Code::upstream_failed, "Podman refused: " + object + " is in use.", {}, {}});
  from.erase(object);
  return {};
}

Task<Result<void>> FakePodman::ping() { co_return enter("ping", {}); }

Task<Result<std::vector<PodmanSecret>>> FakePodman::secrets() {
  if (auto entered = enter("secrets", {}); !entered) co_return Fail(entered.error());
  std::vector<PodmanSecret> list;
  list.reserve(stored.size());
  for (const auto& [name, secret] : stored) list.push_back({secret.id, name, secret.labels});
  co_return list;
}

Task<Result<void>> FakePodman::put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) {
  if (auto entered = enter("put_secret", name); !entered) co_return entered;
  stored[name] = {"id" + std::to_string(next_id_++), std::string(value.reveal()), std::move(labels)};
  co_return Result<void>();
}

Task<Result<void>> FakePodman::remove_secret(std::string name) {
  if (auto entered = enter("remove_secret", name); !entered) co_return entered;
  stored.erase(name);
  co_return Result<void>();
}

Task<Result<std::vector<PodmanContainer>>> FakePodman::containers() {
  if (auto entered = enter("containers", {}); !entered) co_return Fail(entered.error());
  co_return running;
}

Task<Result<void>> FakePodman::remove_network(std::string name) { co_return remove("remove_network", name, networks); }

Task<Result<void>> FakePodman::remove_volume(std::string name) { co_return remove("remove_volume", name, volumes); }

}  // namespace leger::test
