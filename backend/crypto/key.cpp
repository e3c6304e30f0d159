#include "backend/crypto/key.h"

#include <sodium.h>

#include <cstring>
#include <new>
#include <stdexcept>

namespace leger {

Key::Key() {
  // Cheap and harmless when it was done before, so that no order of construction has to be kept.
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot get random numbers from the system");
  bytes_.reset(static_cast<unsigned char*>(sodium_malloc(kBytes)));
  if (!bytes_) throw std::bad_alloc();
}

Key Key::random() {
  Key key;
  randombytes_buf(key.bytes_.get(), kBytes);
  sodium_mprotect_readonly(key.bytes_.get());
  return key;
}

Result<Key> Key::from_bytes(std::string_view bytes) {
  if (bytes.size() != kBytes) {
    return Fail({Code::internal_error, "a key has " + std::to_string(bytes.size()) + " bytes instead of 32", {}, {}});
  }
  Key key;
  std::memcpy(key.bytes_.get(), bytes.data(), kBytes);
  sodium_mprotect_readonly(key.bytes_.get());
  return key;
}

}  // namespace leger
