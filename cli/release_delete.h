#pragma once

// leger releases delete. Gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

struct DeleteReleaseOptions {
  std::string release;  // VERSION or NAME@VERSION: never one that happens to be the newest
  bool force = false;   // without being asked
};

int delete_release(const Context& context, const DeleteReleaseOptions& options);

}  // namespace leger
