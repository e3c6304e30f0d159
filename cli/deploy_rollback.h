#pragma once

// leger deploy rollback: back to what an app ran with before. Waits for its end; gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

struct RollbackOptions {
  std::string name;  // of the app; empty: the only one that is deployed
  bool yes = false;  // without being asked
};

int roll_back_app(const Context& context, const RollbackOptions& options);

}  // namespace leger
