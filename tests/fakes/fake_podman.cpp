#include "tests/fakes/fake_podman.h"

#include <utility>

#include "quadlets/image_names.h"

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
  for (const auto& [name, secret] : stored)
    list.push_back({secret.id, name, secret.labels, !kept_otherwise.contains(name)});
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
  kept_otherwise.erase(name);
  co_return Result<void>();
}

Task<Result<std::vector<PodmanContainer>>> FakePodman::containers() {
  if (auto entered = enter("containers", {}); !entered) co_return Fail(entered.error());
  co_return running;
}

Task<Result<std::vector<PodmanImage>>> FakePodman::images() {
  if (auto entered = enter("images", {}); !entered) co_return Fail(entered.error());
  co_return local_images;
}

Task<Result<std::vector<HealthProbe>>> FakePodman::health_log(std::string container) {
  if (auto entered = enter("health_log", container); !entered) co_return Fail(entered.error());
  co_return health_logs[container];
}

Task<Result<void>> FakePodman::pull_image(std::string reference, std::string policy, PullWatcher watcher) {
  if (auto entered = enter("pull_image", reference); !entered) co_return entered;
  if (watcher && !watcher("Trying to pull " + reference)) co_return Fail({Code::upstream_failed, "given up.", {}, {}});
  if (policy == "missing" && !image_id(local_images, reference).empty()) co_return Result<void>();
  // The same in another process: tests compare what is there after a crash.
  std::string id = "image of " + reference;
  while (!image_id(local_images, id).empty()) id += "+";
  local_images.push_back({id, {}});
  name_image(id, reference);
  co_return Result<void>();
}

void FakePodman::name_image(const std::string& id, const std::string& name) {
  for (PodmanImage& image : local_images) {
    std::erase(image.names, name);
    if (image.id == id) image.names.push_back(name);
  }
}

Task<Result<void>> FakePodman::tag_image(std::string image, std::string name) {
  if (auto entered = enter("tag_image", name); !entered) co_return entered;
  if (image_id(local_images, image).empty()) co_return Fail({Code::upstream_failed, "no such image.", {}, {}});
  name_image(image, name);
  co_return Result<void>();
}

Task<Result<void>> FakePodman::untag_image(std::string name) {
  if (auto entered = enter("untag_image", name); !entered) co_return entered;
  name_image({}, name);
  co_return Result<void>();
}

std::vector<PodmanObject> FakePodman::objects(const std::set<std::string>& names) const {
  std::vector<PodmanObject> list;
  for (const std::string& name : names) {
    const auto made = made_at.find(name);
    list.push_back({.name = name, .made_at = made == made_at.end() ? 0 : made->second});
  }
  return list;
}

Task<Result<std::vector<PodmanObject>>> FakePodman::list_networks() {
  if (auto entered = enter("list_networks", {}); !entered) co_return Fail(entered.error());
  co_return objects(networks);
}

Task<Result<std::vector<PodmanObject>>> FakePodman::list_volumes() {
  if (auto entered = enter("list_volumes", {}); !entered) co_return Fail(entered.error());
  co_return objects(volumes);
}

Task<Result<void>> FakePodman::remove_network(std::string name) { co_return remove("remove_network", name, networks); }

Task<Result<void>> FakePodman::remove_volume(std::string name) { co_return remove("remove_volume", name, volumes); }

}  // namespace leger::test
