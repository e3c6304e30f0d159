#include "backend/service/vault.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

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

Result<Key> key_encryption_key(const KeyPlaces& places, bool store_is_new) {
  if (!places.credentials_directory.empty()) {
    auto credential = read_key_file(places.credentials_directory + "/leger.kek", true);
    if (!credential) return Fail(credential.error());
    if (*credential) return std::move(**credential);
  }
  auto file = read_key_file(places.key_file, false);
  if (!file) return Fail(file.error());
  if (*file) return std::move(**file);
  if (!store_is_new) return Fail(no_key(places));
  return make_key_file(places.key_file);
}

// Binds a wrapped key to its purpose too: a row whose purpose was changed does not open.
std::string associated_data(const std::string& purpose, std::uint32_t key_id) {
  return purpose == kForTokens ? token_key_associated_data(key_id) : data_key_associated_data(key_id);
}

Result<WrappedKey> wrap(const Key& kek, const Key& key, std::uint32_t key_id, const std::string& purpose,
                        const Clock& clock) {
  auto sealed = leger::seal(kek, key.reveal(), associated_data(purpose, key_id));
  if (!sealed) return Fail(sealed.error());
  return WrappedKey{.key_id = key_id,
                    .purpose = purpose,
                    .nonce = std::move(sealed->nonce),
                    .ciphertext = std::move(sealed->ciphertext),
                    .tag = std::move(sealed->tag),
                    .created_at = rfc3339(clock.wall_seconds())};
}

Result<Key> unwrap(const Key& kek, const WrappedKey& wrapped) {
  const Sealed sealed{wrapped.nonce, wrapped.ciphertext, wrapped.tag};
  const auto bytes = open_sealed(kek, sealed, associated_data(wrapped.purpose, wrapped.key_id));
  if (bytes) return Key::from_bytes(bytes->reveal());
  return Fail({Code::unavailable,
               "The key does not open this state folder: it is another installation's.",
               "Put the right key file back. Nothing was changed.",
               {}});
}

}  // namespace

Task<Result<std::unique_ptr<Vault>>> Vault::open(Secrets& store, KeyPlaces places, const Clock& clock) {
  auto wrapped = store.wrapped_keys();
  if (!wrapped) co_return Fail(wrapped.error());
  const auto kek = key_encryption_key(places, wrapped->empty());
  if (!kek) co_return Fail(kek.error());
  std::map<std::string, Keys> keys;  // by purpose
  std::uint32_t last_id = 0;
  for (const WrappedKey& row : *wrapped) {
    auto key = unwrap(*kek, row);
    if (!key) co_return Fail(key.error());
    keys[row.purpose].emplace(row.key_id, std::move(*key));
    last_id = row.key_id;  // they come by id
  }
  // Only now, when the key-encryption key has opened what there is.
  for (const char* purpose : kPurposes) {
    if (!keys[purpose].empty()) continue;
    Key key = Key::random();
    const auto first = wrap(*kek, key, ++last_id, purpose, clock);
    if (!first) co_return Fail(first.error());
    const auto added = co_await store.add_wrapped_key(*first);
    if (!added) co_return Fail(added.error());
    keys[purpose].emplace(first->key_id, std::move(key));
  }
  co_return std::unique_ptr<Vault>(new Vault(std::move(keys[kForSecrets]), std::move(keys[kForTokens])));
}

std::uint32_t Vault::token_key_id() const { return token_keys_.rbegin()->first; }

const Key* Vault::token_key(std::uint32_t key_id) const {
  const auto found = token_keys_.find(key_id);
  return found == token_keys_.end() ? nullptr : &found->second;
}

Result<SealedValue> Vault::seal(const std::string& user_uuid, const std::string& name, std::uint64_t version,
                                std::string_view value) const {
  const auto& [key_id, key] = *data_keys_.rbegin();
  auto sealed = leger::seal(key, value, secret_associated_data(user_uuid, name, version, key_id));
  if (!sealed) return Fail(sealed.error());
  return SealedValue{.key_id = key_id,
                     .encryption_version = kEncryptionVersion,
                     .nonce = std::move(sealed->nonce),
                     .ciphertext = std::move(sealed->ciphertext),
                     .tag = std::move(sealed->tag)};
}

Result<Secret> Vault::open(const std::string& user_uuid, const StoredSecret& stored) const {
  const auto& [info, value] = stored;
  const Fail damaged({Code::internal_error,
                      "Version " + std::to_string(info.version) + " of the secret \"" + info.name +
                          "\" in the database is damaged or was changed.",
                      "Restore leger.db from a backup, or set the secret again.",
                      {}});
  const auto key = data_keys_.find(value.key_id);
  if (key == data_keys_.end() || value.encryption_version != kEncryptionVersion) return damaged;
  const Sealed sealed{value.nonce, value.ciphertext, value.tag};
  auto opened =
      open_sealed(key->second, sealed, secret_associated_data(user_uuid, info.name, info.version, value.key_id));
  if (!opened) return damaged;
  return opened;
}

}  // namespace leger
