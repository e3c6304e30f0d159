#include <algorithm>
#include <utility>

#include "backend/base/json.h"
#include "backend/crypto/seal.h"
#include "backend/service/deployer.h"

// The part of the deployer that shows what an install would do, and says whether a plan or a release may be installed.

namespace leger {
namespace {

constexpr std::size_t kMostPlanning = 8;

}  // namespace

// A staging folder that is in use for the length of a scope.
struct Deployer::Planning {
  Planning(std::set<std::string>& all, std::string staging_id) : planning(all), id(std::move(staging_id)) {
    planning.insert(id);
  }
  Planning(const Planning&) = delete;
  Planning& operator=(const Planning&) = delete;
  ~Planning() { planning.erase(id); }
  std::set<std::string>& planning;
  std::string id;
};

Task<Result<std::string>> Deployer::plan(Actor actor, std::uint64_t version) {
  auto free = check_free();
  if (!free) co_return Fail(free.error());
  if (planning_.size() >= kMostPlanning) {
    co_return Fail({Code::unavailable, "Many plans are being made.", "Try again in a moment.", {}});
  }
  auto release = parts_.releases.get(actor.user_uuid, version);
  if (!release) co_return Fail(release.error());
  const Planning planning(planning_, random_uuid());
  auto prepared = co_await look_ahead(actor.user_uuid, planning.id, std::move(*release));
  co_await drop_staging(planning.id);
  if (!prepared) co_return Fail(prepared.error());
  plans_.remember(prepared->plan_id, actor.user_uuid, version);
  co_return dump(planned_json(prepared->plan_id, prepared->plan, prepared->staged, prepared->findings()));
}

Task<Result<Prepared>> Deployer::look_ahead(std::string user_uuid, std::string staging_id, Release release) {
  auto live = parts_.deployments.live(release.deployment_name);
  if (!live) co_return Fail(live.error());
  auto ours = check_owner(user_uuid, release.deployment_name, *live);
  if (!ours) co_return Fail(ours.error());
  std::string sha256 = release.sha256;
  auto manifest = co_await stage(staging_id, std::move(release), Code::internal_error);
  if (!manifest) co_return Fail(manifest.error());
  co_return co_await preflight(parts_, std::move(user_uuid), std::move(staging_id), std::move(*manifest),
                               std::move(sha256), std::move(*live));
}

Result<std::uint64_t> Deployer::planned_version(const std::string& user_uuid, const std::string& plan_id) const {
  const auto version = plans_.version_of(plan_id, user_uuid);
  if (!version) return Fail(plan_out_of_date());
  return *version;
}

Result<void> Deployer::check_quarantine(const Release& release, Retry retry) {
  if (retry == Retry::yes) return {};
  const auto quarantined = parts_.deployments.is_quarantined(release.deployment_name, release.sha256);
  if (!quarantined) return Fail(quarantined.error());
  if (!*quarantined) return {};
  const std::string name = release.deployment_name + "@" + std::to_string(release.version);
  return Fail({Code::conflict,
               name + " did not start, or was not healthy, when it was deployed here.",
               "Mend it and upload it anew; or try the same once more: leger deploy install " + name + " --retry",
               {}});
}

}  // namespace leger
