#include "backend/service/images.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "backend/base/json.h"
#include "quadlets/image_names.h"

namespace leger {
namespace {

constexpr std::uint64_t kPullMs = 30 * 60'000;
constexpr const char* kKept = "localhost/leger-keep:";

// Image= may have systemd's specifiers and variables in it: what it names is known when the unit starts.
bool is_known_now(const std::string& image) {
  return is_image_reference(image) && image.find_first_of("%$") == std::string::npos;
}

bool has_image(const std::vector<PodmanImage>& images, const std::string& id) {
  return std::ranges::contains(images, id, &PodmanImage::id);
}

// The policy that a missing or a present image is pulled with; empty where it is not.
std::string policy_of(const AppUnit& unit, const std::string& id) {
  if (unit.pull == "always" || unit.pull == "newer") return unit.pull;
  return id.empty() ? "missing" : "";
}

Error not_here(const AppUnit& unit) {
  return {Code::upstream_failed,
          "The image " + unit.image + " is not on this host, and " + unit.source + " says that it is never pulled.",
          "Build or pull it: podman images shows what there is.",
          {}};
}

Task<Result<void>> pull(DeployParts& parts, std::string reference, std::string policy) {
  const std::uint64_t give_up_at = parts.loop.timers().now_ms() + kPullMs;
  co_return co_await parts.podman.pull_image(reference, std::move(policy), [&parts, reference, give_up_at](auto line) {
    if (parts.events != nullptr && !line.empty()) parts.events->progress("pulling", reference, line);
    return parts.loop.timers().now_ms() < give_up_at;
  });
}

Task<Result<void>> keep(DeployParts& parts, std::vector<PodmanImage> images, const Generation& generation) {
  std::set<std::string> done;
  for (const AppUnit& unit : generation.units) {
    if (unit.image_id.empty() || !done.insert(unit.image_id).second) continue;
    const std::string name = kKept + unit.image_id;
    if (image_id(images, name) == unit.image_id) continue;
    auto named = co_await parts.podman.tag_image(unit.image_id, name);
    if (!named) co_return named;
  }
  co_return Result<void>();
}

// The images by id that deployments hold on to.
Result<std::set<std::string>> needed_images(Deployments& deployments) {
  const auto rows = deployments.in_use();
  if (!rows) return Fail(rows.error());
  std::set<std::string> ids;
  for (const Deployment& row : *rows) {
    if (row.journal.empty()) continue;
    const auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    for (const AppUnit& unit : generation->units) ids.insert(unit.image_id);
  }
  return ids;
}

// Ids of the images that live apps other than `app` run with.
Result<std::set<std::string>> images_of_others(Deployments& deployments, const std::string& app) {
  const auto live = deployments.live();
  if (!live) return Fail(live.error());
  std::set<std::string> ids;
  for (const Deployment& row : *live) {
    if (row.name == app) continue;
    const auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    for (const AppUnit& unit : generation->units) ids.insert(unit.image_id);
  }
  ids.erase("");
  return ids;
}

}  // namespace

void find_short_images(const Generation& staged, const HostState& host, std::vector<Finding>& findings) {
  for (const AppUnit& unit : staged.units) {
    if (!is_known_now(unit.image) || has_registry(unit.image)) continue;
    const auto found = host.image_ids.find(unit.image);
    if (found != host.image_ids.end() && !found->second.empty()) continue;
    deny(findings, "short-image", unit.source,
         unit.source + " names the image " + unit.image + " without a registry; write docker.io/… or localhost/…");
  }
}

bool wants_images(const Plan& plan, const Generation& staged) {
  const auto is_asked_for = [](const AppUnit& unit) { return unit.pull == "always" || unit.pull == "newer"; };
  return !plan.images.empty() || std::ranges::any_of(staged.units, is_asked_for);
}

Task<Result<void>> bring_images(DeployParts& parts, Generation& generation) {
  auto images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  std::set<std::string> pulled;
  for (const AppUnit& unit : generation.units) {
    if (!is_known_now(unit.image)) continue;
    const std::string id = image_id(*images, unit.image);
    if (id.empty() && unit.pull == "never") co_return Fail(not_here(unit));
    const std::string policy = policy_of(unit, id);
    if (policy.empty() || !pulled.insert(unit.image).second) continue;
    auto done = co_await pull(parts, unit.image, policy);
    if (!done) co_return done;
  }
  if (!pulled.empty()) images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  for (AppUnit& unit : generation.units) {
    if (!is_known_now(unit.image)) continue;
    unit.image_id = image_id(*images, unit.image);
    unit.image_digest = image_digest(*images, unit.image_id, unit.image);
  }
  co_return co_await keep(parts, std::move(*images), generation);
}

Task<Result<void>> bring_recorded_images(DeployParts& parts, const Generation& generation) {
  auto images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  for (const AppUnit& unit : generation.units) {
    if (unit.image_id.empty() || has_image(*images, unit.image_id)) continue;
    Result<void> pulled = Fail(
        {Code::upstream_failed,
         "The image that " + unit.image + " was, " + unit.image_id.substr(0, 12) + ", is not on this host any more.",
         "Deploy a release anew: leger releases list",
         {}});
    // What was built here is nowhere else.
    if (!unit.image_digest.empty() && !unit.image_digest.starts_with("localhost/")) {
      pulled = co_await pull(parts, unit.image_digest, "missing");
    }
    if (!pulled) co_return pulled;
    images = co_await parts.podman.images();
    if (!images) co_return Fail(images.error());
  }
  co_return co_await keep(parts, std::move(*images), generation);
}

Task<Result<void>> restore_images(DeployParts& parts, const Generation& generation, std::string app, Shared shared) {
  const bool is_recorded =
      std::ranges::any_of(generation.units, [](const AppUnit& unit) { return !unit.image_id.empty(); });
  if (!is_recorded) co_return Result<void>();
  const auto images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  Result<std::set<std::string>> others;
  if (shared == Shared::leave) others = images_of_others(parts.deployments, app);
  if (!others) co_return Fail(others.error());
  for (const AppUnit& unit : generation.units) {
    const ImageName name = split_image_name(unit.image);
    if (unit.image_id.empty() || name.repository.empty()) continue;
    const std::string now = image_id(*images, unit.image);
    if (now == unit.image_id || unit.image.ends_with(unit.image_id) || others->contains(now)) continue;
    parts.log.warning("an image's name goes back to what it was before the deployment",
                      {{"IMAGE", unit.image}, {"FROM", now}, {"TO", unit.image_id}});
    auto named = co_await parts.podman.tag_image(unit.image_id, name.repository + ":" + name.tag);
    if (!named) co_return named;
  }
  co_return Result<void>();
}

Task<Result<void>> release_images(DeployParts& parts) {
  const auto deployed = parts.deployments.count({});
  if (!deployed) co_return Fail(deployed.error());
  if (*deployed == 0) co_return Result<void>();
  const auto images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  const auto needed = needed_images(parts.deployments);
  if (!needed) co_return Fail(needed.error());
  for (const PodmanImage& image : *images) {
    const std::string name = kKept + image.id;
    if (needed->contains(image.id) || !std::ranges::contains(image.names, name)) continue;
    auto dropped = co_await parts.podman.untag_image(name);
    if (!dropped) co_return dropped;
  }
  co_return Result<void>();
}

std::string plan_with_images(const std::string& plan, const Generation& generation) {
  Json json = Json::parse(plan, nullptr, false);
  if (!json.is_object()) return plan;
  Json images = Json::array();
  for (const AppUnit& unit : generation.units) {
    if (unit.image_id.empty()) continue;
    Json image{{"image", unit.image}, {"id", unit.image_id}, {"digest", unit.image_digest}};
    if (!std::ranges::contains(images, image)) images.push_back(std::move(image));
  }
  json["image_digests"] = std::move(images);
  return dump(json);
}

}  // namespace leger
