#pragma once

// leger admin: new keys for what is stored. Each gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

int rotate_key(const Context& context);
// `new_key` is the path of a file on this host, which is legerd's.
int rotate_kek(const Context& context, const std::string& new_key);

}  // namespace leger
