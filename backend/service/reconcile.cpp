#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"

// The part of the deployer that makes Podman's secrets what the live deployments say: replacing one is a removal and a
// creation, and a crash between them leaves none; and somebody may have removed one, or changed who keeps the values.

namespace leger {
namespace {

struct WantedSecret {
  std::string user_uuid;
  std::uint64_t version = 0;
};

Result<std::map<std::string, WantedSecret>> wanted_secrets(const std::vector<Deployment>& live) {
  std::map<std::string, WantedSecret> wanted;
  for (const Deployment& row : live) {
    const auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    for (const auto& [name, version] : generation->secrets) {
      WantedSecret& secret = wanted[name];
      secret = {row.user_uuid, std::max(secret.version, version)};
    }
  }
  return wanted;
}

std::string label_of(const PodmanSecret& secret, const std::string& label) {
  const auto found = secret.labels.find(label);
  return found == secret.labels.end() ? "" : found->second;
}

}  // namespace

Task<Result<void>> Deployer::reconcile_secrets() {
  // Where nothing was ever deployed there is nothing to ask Podman about.
  const auto deployments = parts_.deployments.count(std::string());
  if (!deployments) co_return Fail(deployments.error());
  if (*deployments == 0) co_return Result<void>();
  const auto live = parts_.deployments.live();
  if (!live) co_return Fail(live.error());
  auto wanted = wanted_secrets(*live);
  if (!wanted) co_return Fail(wanted.error());
  const auto there = co_await parts_.podman.secrets();
  if (!there) co_return Fail(there.error());
  for (const PodmanSecret& secret : *there) {
    const std::string user = label_of(secret, "leger.user");
    const auto use = wanted->find(secret.name);
    if (use != wanted->end() && user == use->second.user_uuid) continue;
    if (use != wanted->end()) {
      parts_.log.warning("a Podman secret that an app uses is not Leger's any more", {{"SECRET", secret.name}});
      wanted->erase(use);
    } else if (!user.empty() && label_of(secret, "leger.name") == secret.name &&
               label_of(secret, kAdoptedLabel).empty()) {
      auto removed = co_await parts_.podman.remove_secret(secret.name);
      if (!removed) co_return removed;
    }
  }
  std::map<std::string, std::map<std::string, std::uint64_t>> by_user;
  for (const auto& [name, secret] : *wanted) by_user[secret.user_uuid].emplace(name, secret.version);
  for (auto& [user, versions] : by_user) {
    const Actor actor{.user_uuid = user, .source = "start", .request_id = {}};
    auto put = co_await put_podman_secrets(parts_, actor, std::move(versions));
    if (!put) co_return put;
  }
  co_return Result<void>();
}

void Deployer::look_later() {
  if (looks_later_) return;
  looks_later_ = true;
  parts_.loop.spawn(reconcile_later(), [this](std::exception_ptr) {
    looks_later_ = false;
    parts_.log.error("reconciling failed with an exception");
  });
}

// While a deployment runs, it is what puts secrets; the next try looks again.
Task<void> Deployer::reconcile_later() {
  constexpr std::array<std::uint64_t, 8> kWaitsMs{250, 500, 1000, 2000, 4000, 8000, 16'000, 32'000};
  Result<void> outcome;
  for (const std::uint64_t wait_ms : kWaitsMs) {
    wake_ = OneShot<bool>(parts_.loop);
    Timer timer(parts_.loop.timers(), [this] { wake_.set(true); });
    timer.set_in(wait_ms);
    if (!stopped_) co_await wake_;
    if (stopped_) co_return;
    if (busy_ != Busy::no) continue;
    const Hold hold(*this, Busy::recovering);
    outcome = co_await reconcile_secrets();
    looks_later_ = !outcome;
    secrets_are_wrong_ = !outcome;
    if (outcome) co_return;
  }
  looks_later_ = false;
  parts_.log.error("Podman's secrets could not be looked at; a restart of legerd tries it again",
                   {{"WHY", outcome ? "deployments were running" : outcome.error().message}});
}

void Deployer::stop() {
  stopped_ = true;
  wake_.set(true);
}

}  // namespace leger
