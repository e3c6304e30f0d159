#include <utility>

#include "backend/base/json.h"
#include "daemon/envelope.h"
#include "daemon/install_request.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::uint32_t kPage = 100;
constexpr std::uint32_t kMaxPage = 1000;

// The parts that are JSON already, or null where there are none.
Json embedded(const std::string& text) { return text.empty() ? Json() : Json::parse(text, nullptr, false); }

Json describe(const Deployment& deployment) {
  return {{"id", deployment.id},
          {"name", deployment.name},
          {"version", deployment.version == 0 ? Json() : Json(deployment.version)},  // a sync is of no release
          {"kind", deployment.kind},
          {"state", deployment.state},
          {"created_at", deployment.created_at},
          {"finished_at", deployment.finished_at ? Json(*deployment.finished_at) : Json()},
          {"plan", embedded(deployment.plan)},
          {"error", embedded(deployment.error)}};
}

}  // namespace

Task<Result<Response>> list_deployments(RouteContext& context, Request& request) {
  const auto limit = query_number(request, "limit", 1, kMaxPage);
  if (!limit) co_return Fail(limit.error());
  const std::string name = request.query("name").value_or("");
  const auto deployments = context.deployer.list({.name = name,
                                                  .before = request.query("before").value_or(""),
                                                  .limit = static_cast<std::uint32_t>(limit->value_or(kPage))});
  if (!deployments) co_return Fail(deployments.error());
  const auto total = context.deployer.count(name);
  if (!total) co_return Fail(total.error());
  Json list = Json::array();
  for (const Deployment& deployment : *deployments) list.push_back(describe(deployment));
  co_return success({{"deployments", std::move(list)}, {"total_count", *total}});
}

Task<Result<Response>> get_deployment(RouteContext& context, Request& request) {
  const auto deployment = context.deployer.get(request.parameters.front());
  if (!deployment) co_return Fail(deployment.error());
  co_return success(describe(*deployment));
}

Task<Result<Response>> plan_deployment(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"version"});
  if (!body) co_return Fail(body.error());
  const auto version = optional_number(*body, "version");
  if (!version) co_return Fail(version.error());
  if (!*version) co_return Fail({Code::invalid_request, "The field \"version\" is missing.", {}, {}});
  const auto plan = co_await context.deployer.plan(actor_of(request), **version);
  if (!plan) co_return Fail(plan.error());
  co_return success(embedded(*plan));
}

Task<Result<Response>> start_deployment(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"version", "plan_id", "accept_flags", "adopt", "retry"});
  if (!body) co_return Fail(body.error());
  auto wanted = read_install_request(*body);
  if (!wanted) co_return Fail(wanted.error());
  Result<std::uint64_t> version = wanted->version.value_or(0);
  if (!wanted->version) version = context.deployer.planned_version(request.caller.user_uuid, wanted->options.plan_id);
  if (!version) co_return Fail(version.error());
  const auto id = co_await context.deployer.install(actor_of(request), *version, std::move(wanted->options));
  if (!id) co_return Fail(id.error());
  co_return success({{"id", *id}}, 202);
}

Task<Result<Response>> roll_back_deployment(RouteContext& context, Request& request) {
  const auto id = co_await context.deployer.go_back(actor_of(request), request.parameters.front());
  if (!id) co_return Fail(id.error());
  co_return success({{"id", *id}}, 202);
}

Task<Result<Response>> remove_deployment(RouteContext& context, Request& request) {
  const bool volumes = request.query("volumes") == "true";
  const auto id = co_await context.deployer.remove(actor_of(request), request.parameters.front(),
                                                   volumes ? Deployer::Volumes::remove : Deployer::Volumes::keep);
  if (!id) co_return Fail(id.error());
  co_return success({{"id", *id}}, 202);
}

}  // namespace leger
