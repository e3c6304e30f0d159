#include "backend/service/secret_lookup.h"

#include <utility>

namespace leger {

Task<Result<Secret>> SecretLookup::answer(SecretQuestion question, std::string request_id) {
  const auto runs = deployments_.runs_with(question.user_uuid, question.name, question.version);
  if (!runs) co_return Fail(runs.error());
  Actor actor{.user_uuid = std::move(question.user_uuid), .source = "podman", .request_id = std::move(request_id)};
  auto secret = co_await secrets_.look_up(std::move(actor), std::move(question.name), question.version,
                                          *runs ? SecretService::Lookup::answer : SecretService::Lookup::refuse);
  if (!secret) co_return Fail(secret.error());
  co_return std::move(secret->value);
}

}  // namespace leger
