#pragma once

// leger releases diff: what changed from one release to another, file by file. Gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

struct DiffOptions {
  std::string from;        // as parse_release_ref() reads it
  std::string to;          // the same; empty: the newest release of the app of `from`
  bool exit_code = false;  // exit 1 where something differs
};

int diff_releases(const Context& context, const DiffOptions& options);

}  // namespace leger
