#pragma once

// Which release a command is about: VERSION, latest, NAME or NAME@VERSION. Read without asking anybody, then looked up
// with one request. One thread.

#include <cstdint>
#include <optional>
#include <string>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "cli/api_client.h"

namespace leger {

struct ReleaseRef {
  std::string name;                      // of an app; empty: of any
  std::optional<std::uint64_t> version;  // from 1; nothing: the newest
};

// What `text` names; invalid_request, for exit 2, where it names no release.
Result<ReleaseRef> parse_release_ref(const std::string& text);

struct FoundRelease {
  std::int64_t version = 0;
  std::string name;  // of its app, as legerd sends it
  Json data;         // all that legerd tells of it

  // `hello v3`, for people.
  std::string title() const;
};

// The release as legerd has it; release_not_found where it has none, or one of another name.
Result<FoundRelease> find_release(ApiClient& api, const ReleaseRef& ref);

}  // namespace leger
