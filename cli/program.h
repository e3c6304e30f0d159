#pragma once

// Other programs, started without a shell: found in the PATH of `io`, with its environment. Blocking, one thread.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "cli/io.h"

namespace leger {

// An executable file.
bool is_program(const std::string& path);

// A name with a slash as it is, another one looked up in PATH, whose relative folders do not count. Nothing where it is
// no program.
std::optional<std::string> find_program(const Io& io, const std::string& name);

struct Descriptors {
  int in = 0;
  int out = 1;
  int err = 2;
};

enum class Session { ours, own };

// Starts `command`, whose first word is a path. With Session::own it is out of reach of the terminal: Ctrl-C and a
// hang-up are not for it.
Result<pid_t> start_program(const Io& io, std::vector<std::string> command, const Descriptors& descriptors,
                            Session session);

}  // namespace leger
