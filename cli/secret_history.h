#pragma once

// leger secrets history and rollback. Each gives the exit code.

#include <cstdint>
#include <optional>
#include <string>

#include "cli/context.h"

namespace leger {

struct RollbackOptions {
  std::string name;
  std::optional<std::uint64_t> version;  // nothing: the one before the current
  bool apply = false;                    // then give it to the apps that run
};

int show_history(const Context& context, const std::string& name);
int roll_back(const Context& context, const RollbackOptions& options);

}  // namespace leger
