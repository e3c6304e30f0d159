#pragma once

// What a command that talks to legerd gets: made by run() after the command line was read, alive until it has ended.

#include "cli/api_client.h"
#include "cli/io.h"
#include "cli/output.h"

namespace leger {

struct Context {
  ApiClient& api;
  Output& output;
  const Io& io;
};

}  // namespace leger
