#pragma once

// leger secrets sync, and --apply of the commands that change a secret: running apps get the newest values, and what
// uses a changed one is restarted. Blocking, one thread.

#include "cli/context.h"

namespace leger {

enum class Apply { no, yes };

// Starts a sync and follows it to its end: the deployment as legerd sends it. The error is that of a sync that was
// reverted.
Result<Json> sync_and_wait(const Context& context);

// What a sync did, in words.
void print_sync(Output& output, const Json& deployment);

// Ends a command that changed a secret, `data` being legerd's answer to it: with Apply::yes a sync, as `deployment` in
// the data. Gives the exit code.
int apply_change(const Context& context, Json data, Apply apply);

int sync_secrets(const Context& context);

}  // namespace leger
