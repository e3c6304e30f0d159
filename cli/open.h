#pragma once

// leger open: the page of legerd in the browser, over the Unix socket already signed in. Gives the exit code.

#include "cli/context.h"
#include "cli/login.h"

namespace leger {

int open_page(const Context& context, Browser browser);

}  // namespace leger
