#pragma once

// A deployment that legerd has accepted, followed to its end by its events: each new state and step as a line, on a
// terminal in one line that is written anew; then how it ended. A stream that breaks is taken up where it broke, a
// legerd that has none is asked again and again. The deployment goes on when the one who follows it goes away.
// Blocking, one thread.

#include <string>

#include "cli/context.h"

namespace leger {

// Follows the deployment `id` until it has ended and gives it as legerd sends it. The error is unavailable where
// legerd stays away, request_timeout where it has not ended in time.
Result<Json> follow_deployment(const Context& context, const std::string& id);

// Nothing is wrong with a deployment that ended well; else the error that says what failed, with legerd's report in
// `details`.
Result<void> judge_deployment(const Json& deployment);

}  // namespace leger
