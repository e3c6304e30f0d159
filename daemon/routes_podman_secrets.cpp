#include <utility>

#include "backend/base/json.h"
#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

// Secrets where they meet Podman: apps are brought up to date, and a container that starts asks for a value.

namespace leger {

Task<Result<Response>> sync_secrets(RouteContext& context, Request& request) {
  const auto id = co_await context.deployer.sync(actor_of(request));
  if (!id) co_return Fail(id.error());
  co_return success({{"id", *id}}, 202);
}

// The bytes alone: they go to a container's file as they are.
Task<Result<Response>> look_up_secret(RouteContext& context, Request& request) {
  const auto version = query_number(request, "version", 1, INT64_MAX);
  if (!version) co_return Fail(version.error());
  auto user = request.query("user");
  if (!user || !*version) co_return Fail({Code::invalid_request, "Give ?user= and ?version= of the secret.", {}, {}});
  SecretQuestion question{.user_uuid = *std::move(user), .name = request.parameters.front(), .version = **version};
  const auto value = co_await context.secret_lookup.answer(std::move(question), request.id);
  if (!value) co_return Fail(value.error());
  Response response{.content_type = "application/octet-stream"};
  response.body = value->reveal();
  response.cache_control = "no-store";
  co_return response;
}

}  // namespace leger
