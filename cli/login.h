#pragma once

// leger login: signs in through the page of legerd. The browser hands a one-time code to a listener on this machine's
// loopback; where there is no browser, the page shows the code and the person types it. On the Unix socket it is
// `auth login`. Gives the exit code.

#include "cli/context.h"

namespace leger {

enum class Browser { open, none };

int login(const Context& context, Browser browser);

}  // namespace leger
