#pragma once

// 256-bit keys: in memory of libsodium's that is guarded, locked where the limit allows and wiped; on disk a 0400 file
// of exactly 32 bytes. Values; any thread.

#include <sodium.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"

namespace leger {

class Key {
 public:
  static constexpr std::size_t kBytes = 32;

  // Random bytes of the kernel's.
  static Key random();
  // A copy of exactly 32 bytes; internal_error for any other length.
  static Result<Key> from_bytes(std::string_view bytes);

  std::string_view reveal() const { return {reinterpret_cast<const char*>(bytes_.get()), kBytes}; }

 private:
  struct Free {
    void operator()(unsigned char* bytes) const { sodium_free(bytes); }
  };
  Key();
  std::unique_ptr<unsigned char, Free> bytes_;
};

// The key in `path`, nothing where there is no such file. Refused, with what to do: not 32 bytes, not a regular file,
// readable by others, not readable by us. `path` may be a systemd credential (0440 and 0400 are both taken there when
// `is_credential`).
Result<std::optional<Key>> read_key_file(const std::string& path, bool is_credential);

// Makes `path` with a new key: 0400, its bytes and its folder entry durable before this returns. conflict where it
// exists.
Result<Key> make_key_file(const std::string& path);

}  // namespace leger
