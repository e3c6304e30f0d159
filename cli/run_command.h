#pragma once

// leger run: becomes another program that has secrets in its environment. One thread.

#include <string>
#include <vector>

#include "cli/context.h"

namespace leger {

struct RunOptions {
  std::vector<std::string> secrets;  // `NAME` or `NAME=VARIABLE`
  std::vector<std::string> command;  // the program and its arguments
};

// Fetches all secrets, then replaces this process. Gives an exit code where that fails: 2 where the options are wrong,
// 127 where the program is not found, 126 where it cannot be started, 1 for the rest.
int run_command(const Context& context, const RunOptions& options);

}  // namespace leger
