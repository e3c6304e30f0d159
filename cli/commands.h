#pragma once

// The command line of leger: reads it, chooses the server, calls the command. The only file that knows CLI11 is
// commands.cpp, which is slow to compile.

#include <string>
#include <vector>

#include "cli/io.h"

namespace leger {

// Runs leger with these arguments (without the program's name) and gives its exit code: 0 done, 1 failed, 2 usage or a
// confirmation that is needed and cannot be asked for. Reads and writes `io`'s descriptors only; SIGPIPE is ignored by
// the caller.
int run(const std::vector<std::string>& arguments, const Io& io);

}  // namespace leger
