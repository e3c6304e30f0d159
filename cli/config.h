#pragma once

// leger config check: asks legerd itself, as a child process, whether its configuration is good. Gives legerd's exit
// code. Talks to no running legerd.

#include <string>

#include "cli/io.h"
#include "cli/output.h"

namespace leger {

// `file` is the configuration to look at; empty: the one that legerd reads by itself.
int check_config(const Io& io, Output& output, const std::string& file);

}  // namespace leger
