#pragma once

// Which folders and files of the host a unit may reach. Pure; a path's links on the host are not followed.

#include <optional>
#include <string>
#include <string_view>

#include "quadlets/policy.h"

namespace leger {

enum class Access { reads, writes };

struct PathVerdict {
  PolicyLevel level;
  std::string_view rule;
  std::string why;  // the end of a sentence that begins with the path
};

// An absolute path without `.`, `..`, doubled or trailing slashes; /var/run is /run.
std::string normal_path(std::string_view path);

// Whether `path` is `folder` or lies below it; both normal.
bool is_within(std::string_view path, std::string_view folder);

// The path of a file in the app's folder, staged or live, relative to it; nothing for any other. Empty for the folder.
std::optional<std::string> path_in_app(const std::string& path, const PolicyPlaces& places);

// What there is to say of `path`, as an option names it; nothing where it is harmless.
std::optional<PathVerdict> judge_path(std::string_view path, Access access, const PolicyPlaces& places);

}  // namespace leger
