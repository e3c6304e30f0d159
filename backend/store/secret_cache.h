#pragma once

// Current secrets as they rest, ciphertext, by user and name: what was read lately need not be asked of SQLite again.
// Bounded; it forgets everything when the store changes, so that it never has to know what a change is about. Loop
// thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/store/stored_secret.h"

namespace leger {

class SecretCache {
 public:
  // What is there of that name, put in under the same number of `changes`; null: nothing.
  const StoredSecret* find(std::uint64_t changes, const std::string& user_uuid, const std::string& name);
  void put(std::uint64_t changes, const std::string& user_uuid, const StoredSecret& secret);

 private:
  static constexpr std::size_t kMostBytes = 48 << 20;  // 100 000 short secrets; few people have a hundred
  static constexpr std::size_t kOverhead = 256;        // of one secret, beside its texts

  void forget_all(std::uint64_t changes);
  const std::string& key_of(const std::string& user_uuid, const std::string& name);

  std::unordered_map<std::string, StoredSecret> secrets_;
  std::uint64_t changes_ = 0;
  std::size_t bytes_ = 0;
  std::string key_;  // the last one: its memory is used again
};

}  // namespace leger
