#pragma once

// legerd's command line.

#include <optional>

#include "daemon/config.h"

namespace leger {

// What the flags say, or the exit code where the program is to end at once: 0 after --help and --version (printed), 2
// for a usage error (said on standard error).
struct Options {
  Flags flags;
  std::optional<int> exit_code;
};
Options read_options(int argc, char** argv);

}  // namespace leger
