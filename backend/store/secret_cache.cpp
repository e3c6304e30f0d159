#include "backend/store/secret_cache.h"

#include <utility>

namespace leger {

void SecretCache::forget_all(std::uint64_t changes) {
  secrets_.clear();
  bytes_ = 0;
  changes_ = changes;
}

// Neither a uuid nor a name has a line feed.
const std::string& SecretCache::key_of(const std::string& user_uuid, const std::string& name) {
  key_ = user_uuid;
  key_ += '\n';
  key_ += name;
  return key_;
}

const StoredSecret* SecretCache::find(std::uint64_t changes, const std::string& user_uuid, const std::string& name) {
  if (changes != changes_) forget_all(changes);
  const auto found = secrets_.find(key_of(user_uuid, name));
  return found == secrets_.end() ? nullptr : &found->second;
}

void SecretCache::put(std::uint64_t changes, const std::string& user_uuid, const StoredSecret& secret) {
  const std::size_t bytes = user_uuid.size() + 2 * secret.info.name.size() + secret.value.ciphertext.size() + kOverhead;
  if (changes != changes_ || bytes_ + bytes > kMostBytes) forget_all(changes);
  if (secrets_.try_emplace(key_of(user_uuid, secret.info.name), secret).second) bytes_ += bytes;
}

}  // namespace leger
