#include "backend/service/secret_service.h"

#include <utility>

#include "quadlets/bundle.h"

namespace leger {
namespace {

Error bad_name() {
  return {Code::invalid_secret_name,
          "This is not a name for a secret.",
          "Use 1 to 64 of A-Z a-z 0-9 _ . : - with a letter, digit or _ first, and not list, set, get or sync.",
          {}};
}

}  // namespace

Result<std::vector<SecretInfo>> SecretService::list(const std::string& user_uuid, const std::string& after,
                                                    std::uint32_t limit) {
  return store_.list(user_uuid, after, limit);
}

Result<std::uint64_t> SecretService::count(const std::string& user_uuid) { return store_.count(user_uuid); }

Result<SecretValue> SecretService::get(const std::string& user_uuid, const std::string& name,
                                       std::optional<std::uint64_t> version) {
  if (!is_secret_name(name)) return Fail(bad_name());
  auto stored = store_.get(user_uuid, name, version);
  if (!stored) return Fail(stored.error());
  auto value = vault_.open(user_uuid, *stored);
  if (!value) return Fail(value.error());
  return SecretValue{std::move(stored->info), std::move(*value)};
}

Task<Result<PutOutcome>> SecretService::set(std::string user_uuid, std::string name, Secret value,
                                            std::optional<std::uint64_t> if_version) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  const std::size_t size = value.reveal().size();
  if (size == 0) co_return Fail({Code::invalid_request, "The value of a secret cannot be empty.", {}, {}});
  if (size > kMaxSecretBytes) {
    co_return Fail(
        {Code::secret_value_too_large,
         "The value has " + std::to_string(size) + " bytes; the most is " + std::to_string(kMaxSecretBytes) + ".",
         {},
         {}});
  }
  PutSecret put{.user_uuid = user_uuid,
                .name = name,
                .now = rfc3339(clock_.wall_seconds()),
                .if_version = if_version,
                .keep_versions = keep_versions_,
                .seal = [this, &user_uuid, &name, &value](std::uint64_t version) {
                  return vault_.seal(user_uuid, name, version, value.reveal());
                }};
  co_return co_await store_.put(std::move(put));
}

Task<Result<std::string>> SecretService::remove(std::string user_uuid, std::string name) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  std::string now = rfc3339(clock_.wall_seconds());
  auto removed = co_await store_.remove(std::move(user_uuid), std::move(name), now);
  if (!removed) co_return Fail(removed.error());
  co_return now;
}

}  // namespace leger
