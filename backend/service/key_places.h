#pragma once

// Where key-encryption keys are looked for, and the rule that none of them rests in the state folder, whose copies
// they protect. Reads files; any thread.

#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/crypto/key.h"

namespace leger {

// What the configuration says: a systemd credential first, then the file.
struct KeyPlaces {
  std::string credentials_directory;  // empty: none
  std::string key_file;
  std::string state_dir;  // whose contents the key protects
};

// The key of the configuration; nothing where there is neither a credential nor the file.
Result<std::optional<Key>> configured_key(const KeyPlaces& places);

// The key in a file that a rotation has noted; an error where it is not there.
Result<Key> noted_key(const KeyPlaces& places, const std::string& path);

// The key in a file that somebody names for the first time. invalid_request, with what a key's file has to be, for any
// that cannot be one.
Result<Key> new_key(const KeyPlaces& places, const std::string& path);

// What makes the key in `new_key_file` that of the configuration, for people.
std::string how_to_install(const KeyPlaces& places, const std::string& new_key_file);

}  // namespace leger
