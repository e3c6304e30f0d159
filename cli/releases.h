#pragma once

// leger releases: list, show. Each gives the exit code.

#include <cstdint>
#include <optional>
#include <string>

#include "cli/context.h"

namespace leger {

struct ListReleasesOptions {
  std::string name;         // of an app; empty: every one
  std::uint64_t limit = 0;  // 0: as many as legerd sends by itself
  bool all = false;         // every one, whatever `limit` says
};

int list_releases(const Context& context, const ListReleasesOptions& options);
// `release` is a version, `latest`, an app's name for the newest of it, or `NAME@VERSION`.
int show_release(const Context& context, const std::string& release);

// What to say where there is no release, unless legerd said it.
Error with_upload_hint(Error error);

}  // namespace leger
