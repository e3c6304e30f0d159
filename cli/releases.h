#pragma once

// leger releases: upload, list, show. Each gives the exit code.

#include <cstdint>
#include <optional>
#include <string>

#include "cli/context.h"

namespace leger {

struct ListReleasesOptions {
  std::string name;         // of an app; empty: every one
  std::uint64_t limit = 0;  // 0: as many as legerd sends by itself
};

int upload_release(const Context& context, const std::string& path);
int list_releases(const Context& context, const ListReleasesOptions& options);
// `version` is a number or `latest`.
int show_release(const Context& context, const std::string& version);

// What to say where there is no release, unless legerd said it.
Error with_upload_hint(Error error);

}  // namespace leger
