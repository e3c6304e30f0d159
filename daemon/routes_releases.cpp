#include <utility>

#include "backend/base/json.h"
#include "daemon/downloads.h"
#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::uint32_t kPage = 100;
constexpr std::uint32_t kMaxPage = 1000;

Json describe(const Release& release) {
  return {{"version", release.version},
          {"deployment_name", release.deployment_name},
          {"r2_path", release.r2_path},
          {"bundle_size_bytes", release.bundle_size_bytes},
          {"sha256", release.sha256},
          {"created_at", release.created_at},
          {"files", release.files},
          {"services", release.services},
          {"secrets_required", release.secrets_required}};
}

}  // namespace

Task<Result<Response>> list_releases(RouteContext& context, Request& request) {
  const auto limit = query_number(request, "limit", 1, kMaxPage);
  if (!limit) co_return Fail(limit.error());
  const auto before = query_number(request, "before", 1, INT64_MAX);
  if (!before) co_return Fail(before.error());
  const std::string name = request.query("name").value_or("");
  const auto releases = context.releases.list({.user_uuid = request.caller.user_uuid,
                                               .deployment_name = name,
                                               .before = before->value_or(0),
                                               .limit = static_cast<std::uint32_t>(limit->value_or(kPage))});
  if (!releases) co_return Fail(releases.error());
  const auto total = context.releases.count(request.caller.user_uuid, name);
  if (!total) co_return Fail(total.error());
  Json list = Json::array();
  for (const Release& release : *releases) {
    list.push_back({{"version", release.version},
                    {"deployment_name", release.deployment_name},
                    {"bundle_size_bytes", release.bundle_size_bytes},
                    {"file_count", release.files.size()},
                    {"sha256", release.sha256},
                    {"created_at", release.created_at}});
  }
  co_return success({{"releases", std::move(list)}, {"total_count", *total}});
}

Task<Result<Response>> get_latest_release(RouteContext& context, Request& request) {
  if (wants_bundle(request.head)) co_return co_await download_latest_release(context, request);
  const auto release = context.releases.latest(request.caller.user_uuid, request.query("name").value_or(""));
  if (!release) co_return Fail(release.error());
  co_return success(describe(*release));
}

Task<Result<Response>> get_release(RouteContext& context, Request& request) {
  if (wants_bundle(request.head)) co_return co_await download_release(context, request);
  const auto release = release_in_path(context, request);
  if (!release) co_return Fail(release.error());
  co_return success(describe(*release));
}

Task<Result<Response>> upload_release(RouteContext& context, Request& request) {
  std::optional<std::string> sha256;
  if (const auto header = request.head.header("content-sha256")) sha256 = std::string(*header);
  const auto added = co_await context.releases.upload(actor_of(request), request.read_body, std::move(sha256));
  if (!added) co_return Fail(added.error());
  const Release& release = added->release;
  co_return success({{"version", release.version},
                     {"deployment_name", release.deployment_name},
                     {"bundle_size_bytes", release.bundle_size_bytes},
                     {"size", release.bundle_size_bytes},
                     {"sha256", release.sha256},
                     {"r2_path", release.r2_path},
                     {"created_at", release.created_at}},
                    added->created ? 201 : 200);
}

Task<Result<Response>> delete_release(RouteContext& context, Request& request) {
  const auto version = path_version(request, no_such_release());
  if (!version) co_return Fail(version.error());
  const auto removed = co_await context.releases.remove(actor_of(request), *version);
  if (!removed) co_return Fail(removed.error());
  co_return success({{"version", *version}, {"deleted", true}});
}

}  // namespace leger
