#pragma once

// Podman in memory, for tests of what stands above it: it keeps what it is given, says what it was asked, and fails
// where it is told to. One thread; every answer comes at once.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "quadlets/podman.h"

namespace leger::test {

class FakePodman final : public Podman {
 public:
  struct StoredSecret {
    std::string id;  // a new one at each put, as Podman does it
    std::string value;
    std::map<std::string, std::string> labels;
  };

  // What there is; tests look at it and change it.
  std::map<std::string, StoredSecret> stored;
  std::vector<PodmanContainer> running;
  std::vector<PodmanImage> local_images;
  std::set<std::string> networks;
  std::set<std::string> volumes;
  // When networks and volumes were made, in seconds since 1970; what is not here, at its beginning.
  std::map<std::string, std::int64_t> made_at;
  // Of these networks and volumes a removal fails.
  std::set<std::string> in_use;
  // By container id.
  std::map<std::string, std::vector<HealthProbe>> health_logs;
  // Secrets that were put by another driver, until they are put again.
  std::set<std::string> kept_otherwise;
  bool takes_values = true;
  // Each call, as `put_secret NAME` or `containers`.
  std::vector<std::string> calls;

  // Calls of `name` (`ping`, `put_secret`, …) fail with `error` from the `nth` on, counted from now and from 1; a put
  // or removal that fails changes nothing.
  void fail(const std::string& name, Error error, unsigned nth = 1);
  // Every call fails as it does where Podman's socket is not there.
  void stop();
  // No faults any more.
  void mend();

  bool keeps_values() const override { return takes_values; }
  Task<Result<void>> ping() override;
  Task<Result<std::vector<PodmanSecret>>> secrets() override;
  Task<Result<void>> put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) override;
  Task<Result<void>> remove_secret(std::string name) override;
  Task<Result<std::vector<PodmanContainer>>> containers() override;
  Task<Result<std::vector<PodmanImage>>> images() override;
  Task<Result<std::vector<HealthProbe>>> health_log(std::string container) override;
  // Makes an image of a new id where the name is not there, unless the call is one that fails.
  Task<Result<void>> pull_image(std::string reference, std::string policy, PullWatcher watcher) override;
  Task<Result<void>> tag_image(std::string image, std::string name) override;
  Task<Result<void>> untag_image(std::string name) override;
  Task<Result<std::vector<PodmanObject>>> list_networks() override;
  Task<Result<std::vector<PodmanObject>>> list_volumes() override;
  Task<Result<void>> remove_network(std::string name) override;
  Task<Result<void>> remove_volume(std::string name) override;

 private:
  struct Fault {
    Error error;
    unsigned calls_before = 0;
  };

  // Notes the call; the error where it is one that fails.
  Result<void> enter(const std::string& name, const std::string& object);
  std::vector<PodmanObject> objects(const std::set<std::string>& names) const;
  void name_image(const std::string& id, const std::string& name);
  Result<void> remove(const std::string& name, const std::string& object, std::set<std::string>& from);

  std::map<std::string, Fault> faults_;
  bool stopped_ = false;
  unsigned next_id_ = 1;
};

}  // namespace leger::test
