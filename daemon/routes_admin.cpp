#include <utility>

#include "backend/base/json.h"
#include "daemon/envelope.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {

Task<Result<Response>> rotate_data_key(RouteContext& context, Request& request) {
  const auto key_id = co_await context.keys.rotate_data_key(actor_of(request));
  if (!key_id) co_return Fail(key_id.error());
  co_return success({{"key_id", *key_id}}, 202);
}

Task<Result<Response>> rotate_kek(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"new_key_file"});
  if (!body) co_return Fail(body.error());
  const auto file = text_field(*body, "new_key_file");
  if (!file) co_return Fail({Code::invalid_request, "The field \"new_key_file\" is missing.", {}, {}});
  const auto rotated = co_await context.keys.rotate_kek(actor_of(request), *file);
  if (!rotated) co_return Fail(rotated.error());
  co_return success({{"new_key_file", *file}}, 202);
}

}  // namespace leger
