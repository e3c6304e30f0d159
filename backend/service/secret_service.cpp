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

// What was asked for in vain is on record as well; so an absent secret takes the same way as another's.
void note_outcome(AuditRecord& audit, const Result<SecretValue>& secret) {
  if (secret) audit.version = secret->info.version;
  if (!secret) audit.outcome = name_of(secret.error().code);
}

Error not_deployed() {
  return {Code::secret_not_found,
          "No app that is deployed was made with this version of the secret.",
          "See what is deployed: leger status",
          {}};
}

}  // namespace

Result<std::vector<SecretInfo>> SecretService::list(const std::string& user_uuid, const std::string& after,
                                                    std::uint32_t limit) {
  return store_.list(user_uuid, after, limit);
}

Result<std::uint64_t> SecretService::count(const std::string& user_uuid) { return store_.count(user_uuid); }

Result<SecretValue> SecretService::open(const std::string& user_uuid, const std::string& name,
                                        std::optional<std::uint64_t> version) {
  auto stored = store_.get(user_uuid, name, version);
  if (!stored) return Fail(stored.error());
  auto value = vault_.open(user_uuid, *stored);
  if (!value) return Fail(value.error());
  return SecretValue{std::move(stored->info), std::move(*value)};
}

Task<Result<SecretValue>> SecretService::read(Actor actor, std::string name, std::optional<std::uint64_t> version) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  auto secret = open(actor.user_uuid, name, version);
  AuditRecord audit = audit_.record(std::move(actor), "secret.read", std::move(name));
  audit.version = version;
  note_outcome(audit, secret);
  const auto recorded = co_await audit_.write(std::move(audit));
  if (!recorded) co_return Fail(recorded.error());
  co_return secret;
}

Task<Result<SecretValue>> SecretService::look_up(Actor actor, std::string name, std::uint64_t version, Lookup lookup) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  Result<SecretValue> secret = Fail(not_deployed());
  if (lookup == Lookup::answer) secret = open(actor.user_uuid, name, version);
  AuditRecord audit = audit_.record(std::move(actor), "secret.lookup", std::move(name));
  audit.version = version;
  note_outcome(audit, secret);
  const auto recorded = co_await audit_.write(std::move(audit));
  if (!recorded) co_return Fail(recorded.error());
  co_return secret;
}

Result<SecretInfo> SecretService::check(const std::string& user_uuid, const std::string& name) {
  if (!is_secret_name(name)) return Fail(bad_name());
  auto secret = open(user_uuid, name, std::nullopt);
  if (!secret) return Fail(secret.error());
  return std::move(secret->info);
}

Result<std::vector<SecretVersion>> SecretService::versions(const std::string& user_uuid, const std::string& name) {
  if (!is_secret_name(name)) return Fail(bad_name());
  return store_.versions(user_uuid, name);
}

// A change that is refused leaves the store as it was; that it was tried is on record where that can be written.
Task<void> SecretService::record_failure(AuditRecord audit, const Error& error) {
  if (error.code == Code::insufficient_storage) co_return;
  audit.outcome = name_of(error.code);
  [[maybe_unused]] const auto recorded = co_await audit_.write(std::move(audit));
}

Task<Result<PutOutcome>> SecretService::put(AuditRecord audit, Secret value, std::optional<std::uint64_t> if_version) {
  PutSecret change{.user_uuid = audit.actor,
                   .name = audit.object,
                   .now = audit.time,
                   .if_version = if_version,
                   .keep_versions = keep_versions_,
                   .audit = audit,
                   .seal = [this, &audit, &value](std::uint64_t version) {
                     return vault_.seal(audit.actor, audit.object, version, value.reveal());
                   }};
  co_await audit_.keep_order();
  auto outcome = co_await store_.put(std::move(change));
  if (outcome) on_sealed_(outcome->seals.stored);
  if (!outcome) co_await record_failure(std::move(audit), outcome.error());
  co_return outcome;
}

Task<Result<PutOutcome>> SecretService::set(Actor actor, std::string name, Secret value,
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
  AuditRecord audit = audit_.record(std::move(actor), "secret.set", std::move(name));
  co_return co_await put(std::move(audit), std::move(value), if_version);
}

Task<Result<PutOutcome>> SecretService::roll_back(Actor actor, std::string name, std::uint64_t version) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  const auto current = store_.get(actor.user_uuid, name, std::nullopt);
  auto old = open(actor.user_uuid, name, version);
  AuditRecord audit = audit_.record(actor, "secret.rollback", std::move(name));
  if (!old || !current) {
    const Error why = current ? old.error() : current.error();
    audit.version = version;
    co_await record_failure(std::move(audit), why);
    co_return Fail(why);
  }
  co_return co_await put(std::move(audit), std::move(old->value), current->info.version);
}

Task<Result<std::string>> SecretService::remove(Actor actor, std::string name) {
  if (!is_secret_name(name)) co_return Fail(bad_name());
  AuditRecord audit = audit_.record(actor, "secret.delete", name);
  std::string now = audit.time;
  co_await audit_.keep_order();
  const auto removed = co_await store_.remove(actor.user_uuid, std::move(name), now, audit);
  if (removed) co_return now;
  co_await record_failure(std::move(audit), removed.error());
  co_return Fail(removed.error());
}

}  // namespace leger
