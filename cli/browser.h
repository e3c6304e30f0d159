#pragma once

// The browser of the person who runs leger. Blocking for a moment, one thread.

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "cli/io.h"

namespace leger {

// How a browser is started: the words of $BROWSER, else xdg-open where there is a display. Nothing where neither is
// there.
std::optional<std::vector<std::string>> find_browser(const Io& io);

// Starts `browser` with the address as one argument (in place of `%s` where it has that word), what it prints thrown
// away, no shell between. unavailable where it does not start or fails within a moment.
Result<void> open_browser(const Io& io, std::vector<std::string> browser, const std::string& address);

}  // namespace leger
