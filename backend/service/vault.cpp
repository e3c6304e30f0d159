#include "backend/service/vault.h"

#include <algorithm>
#include <array>

#include "backend/crypto/seal.h"

namespace leger {
namespace {

constexpr const char* kForSecrets = "secrets";
constexpr const char* kForTokens = "tokens";
constexpr std::array kPurposes{kForSecrets, kForTokens};
constexpr std::uint32_t kEncryptionVersion = 2;  // version 1 is the seed's, without associated data

Error no_key(const KeyPlaces& places) {
  return {Code::unavailable,
          "The key of this state folder is missing: there is no " + places.key_file + ".",
          "Put the key file back from your backup. Without it the stored secrets cannot be read.",
          {}};
}

Error damaged(const SecretInfo& info) {
  return {Code::internal_error,
          "Version " + std::to_string(info.version) + " of the secret \"" + info.name +
              "\" in the database is damaged or was changed.",
          "Restore leger.db from a backup, or set the secret again.",
          {}};
}

Error neither(const Error& configured, const std::string& noted, const Error& other) {
  return {Code::unavailable,
          "No key opens this state folder. The configured one: " + configured.message + " The one of the last " +
              "rotation, " + noted + ": " + other.message,
          "Put one of the two key files back from your backup. Nothing was changed.",
          {}};
}

Result<Key> key_of_configuration(const KeyPlaces& places, bool store_is_new) {
  auto key = configured_key(places);
  if (!key) return Fail(key.error());
  if (*key) return std::move(**key);
  if (!store_is_new) return Fail(no_key(places));
  return make_key_file(places.key_file);
}

// Binds a wrapped key to its purpose too: a row whose purpose was changed does not open.
std::string associated_data(const std::string& purpose, std::uint32_t key_id) {
  return purpose == kForTokens ? token_key_associated_data(key_id) : data_key_associated_data(key_id);
}

Result<WrappedKey> wrap(const Key& kek, const Key& key, std::uint32_t key_id, std::string purpose,
                        std::string created_at) {
  auto sealed = leger::seal(kek, key.reveal(), associated_data(purpose, key_id));
  if (!sealed) return Fail(sealed.error());
  return WrappedKey{.key_id = key_id,
                    .purpose = std::move(purpose),
                    .nonce = std::move(sealed->nonce),
                    .ciphertext = std::move(sealed->ciphertext),
                    .tag = std::move(sealed->tag),
                    .created_at = std::move(created_at)};
}

Result<Key> unwrap(const Key& kek, const WrappedKey& wrapped) {
  const Fail wrong({Code::unavailable,
                    "The key does not open this state folder: it is another installation's, or the folder was changed.",
                    "Put the right key file back. Nothing was changed.",
                    {}});
  if (!std::ranges::contains(kPurposes, wrapped.purpose)) return wrong;
  const SealedView sealed(wrapped.nonce, wrapped.ciphertext, wrapped.tag);
  const auto bytes = open_sealed(kek, sealed, associated_data(wrapped.purpose, wrapped.key_id));
  if (!bytes) return wrong;
  return Key::from_bytes(bytes->reveal());
}

}  // namespace

// What a key-encryption key has opened.
struct Vault::Opened {
  Key kek;
  std::optional<std::string> new_key_file;
  std::map<std::string, Keys> keys;  // by purpose
  std::uint32_t last_id = 0;
};

Vault::Vault(KeyPlaces places, Opened opened)
    : places_(std::move(places)),
      kek_(std::move(opened.kek)),
      new_key_file_(std::move(opened.new_key_file)),
      token_keys_(std::move(opened.keys[kForTokens])),
      data_keys_(std::make_shared<const Keys>(std::move(opened.keys[kForSecrets]))) {}

// Every one of them, so that a key which does not belong here is found before anything is written with it.
Result<Vault::Opened> Vault::open_all(Key kek, const std::vector<WrappedKey>& rows) {
  Opened opened{.kek = std::move(kek), .new_key_file = {}, .keys = {}, .last_id = 0};
  for (const WrappedKey& row : rows) {
    auto key = unwrap(opened.kek, row);
    if (!key) return Fail(key.error());
    opened.keys[row.purpose].emplace(row.key_id, std::make_shared<const Key>(*std::move(key)));
    opened.last_id = row.key_id;  // they come by id
  }
  return opened;
}

Result<Vault::Opened> Vault::open_with_any(const KeyPlaces& places, const std::optional<std::string>& noted,
                                           const std::vector<WrappedKey>& rows) {
  const auto open_with = [&rows](Result<Key> kek) -> Result<Opened> {
    if (!kek) return Fail(kek.error());
    return open_all(*std::move(kek), rows);
  };
  auto opened = open_with(key_of_configuration(places, rows.empty()));
  if (opened || !noted) return opened;
  auto other = open_with(noted_key(places, *noted));
  if (!other) return Fail(neither(opened.error(), *noted, other.error()));
  other->new_key_file = noted;
  return other;
}

Task<Result<std::unique_ptr<Vault>>> Vault::open(KeyStore& store, KeyPlaces places, const Clock& clock) {
  const auto rows = store.wrapped_keys();
  if (!rows) co_return Fail(rows.error());
  const auto noted = store.new_key_file();
  if (!noted) co_return Fail(noted.error());
  auto opened = open_with_any(places, *noted, *rows);
  if (!opened) co_return Fail(opened.error());
  if (*noted && !opened->new_key_file) {
    // Where it cannot be forgotten now it is at the next start: it does no harm meanwhile.
    [[maybe_unused]] const auto forgotten = co_await store.forget_new_key_file();
  }
  // Only now, when the key-encryption key has opened what there is.
  for (const char* purpose : kPurposes) {
    if (!opened->keys[purpose].empty()) continue;
    auto key = std::make_shared<const Key>(Key::random());
    const auto first = wrap(opened->kek, *key, ++opened->last_id, purpose, rfc3339(clock.wall_seconds()));
    if (!first) co_return Fail(first.error());
    const auto added = co_await store.add(*first, std::nullopt);
    if (!added) co_return Fail(added.error());
    opened->keys[purpose].emplace(first->key_id, std::move(key));
  }
  co_return std::unique_ptr<Vault>(new Vault(std::move(places), *std::move(opened)));
}

std::shared_ptr<const Vault::Keys> Vault::data_keys() const {
  const std::scoped_lock lock(mutex_);
  return data_keys_;
}

void Vault::publish(Keys keys) {
  auto next = std::make_shared<const Keys>(std::move(keys));
  const std::scoped_lock lock(mutex_);
  data_keys_ = std::move(next);
}

std::uint32_t Vault::token_key_id() const { return token_keys_.rbegin()->first; }

const Key* Vault::token_key(std::uint32_t key_id) const {
  const auto found = token_keys_.find(key_id);
  return found == token_keys_.end() ? nullptr : found->second.get();
}

Result<SealedValue> Vault::seal(const std::string& user_uuid, const std::string& name, std::uint64_t version,
                                std::string_view value) const {
  const auto keys = data_keys();
  const auto& [key_id, key] = *keys->rbegin();
  auto sealed = leger::seal(*key, value, secret_associated_data(user_uuid, name, version, key_id));
  if (!sealed) return Fail(sealed.error());
  return SealedValue{.key_id = key_id,
                     .encryption_version = kEncryptionVersion,
                     .nonce = std::move(sealed->nonce),
                     .ciphertext = std::move(sealed->ciphertext),
                     .tag = std::move(sealed->tag)};
}

Result<Secret> Vault::open(const std::string& user_uuid, const StoredSecret& stored) const {
  const auto& [info, value] = stored;
  const auto keys = data_keys();
  const auto key = keys->find(value.key_id);
  if (key == keys->end() || value.encryption_version != kEncryptionVersion) return Fail(damaged(info));
  const SealedView sealed(value.nonce, value.ciphertext, value.tag);
  auto opened =
      open_sealed(*key->second, sealed, secret_associated_data(user_uuid, info.name, info.version, value.key_id));
  if (!opened) return Fail(damaged(info));
  return opened;
}

Result<SealedValue> Vault::reseal(const std::string& user_uuid, const StoredSecret& stored) const {
  const auto value = open(user_uuid, stored);
  if (!value) return Fail(value.error());
  return seal(user_uuid, stored.info.name, stored.info.version, value->reveal());
}

std::vector<std::uint32_t> Vault::data_key_ids() const {
  std::vector<std::uint32_t> ids;
  const auto keys = data_keys();
  for (const auto& [key_id, key] : *keys) ids.push_back(key_id);
  return ids;
}

Result<NewDataKey> Vault::make_data_key(std::uint32_t key_id, const Clock& clock) const {
  auto key = std::make_shared<const Key>(Key::random());
  auto wrapped = wrap(kek_, *key, key_id, kForSecrets, rfc3339(clock.wall_seconds()));
  if (!wrapped) return Fail(wrapped.error());
  return NewDataKey{std::move(key), *std::move(wrapped)};
}

void Vault::use_data_key(const NewDataKey& made) {
  Keys keys = *data_keys();
  keys.emplace(made.wrapped.key_id, made.key);
  publish(std::move(keys));
}

void Vault::keep_data_keys(const std::vector<WrappedKey>& stored) {
  Keys keys = *data_keys();
  std::erase_if(keys,
                [&stored](const auto& key) { return !std::ranges::contains(stored, key.first, &WrappedKey::key_id); });
  publish(std::move(keys));
}

Result<std::vector<WrappedKey>> Vault::rewrap(const std::vector<WrappedKey>& stored, const Key& kek) const {
  if (equal_in_constant_time(kek.reveal(), kek_.reveal())) {
    return Fail({Code::conflict, "This is the key that is in use already.", "Name the file of a new key.", {}});
  }
  std::vector<WrappedKey> rewrapped;
  for (const WrappedKey& row : stored) {
    const auto key = unwrap(kek_, row);
    if (!key) return Fail(key.error());
    auto wrapped = wrap(kek, *key, row.key_id, row.purpose, row.created_at);
    if (!wrapped) return Fail(wrapped.error());
    rewrapped.push_back(*std::move(wrapped));
  }
  return rewrapped;
}

void Vault::use_kek(Key kek, std::string file) {
  kek_ = std::move(kek);
  new_key_file_ = std::move(file);
}

}  // namespace leger
