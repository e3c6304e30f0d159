#pragma once

// leger status: a line a unit, with its state and health. Gives the exit code: 0 also where a unit has failed.

#include "cli/context.h"

namespace leger {

int show_status(const Context& context);

// The data of GET /api/services; its `services` is an array.
Result<Json> fetch_services(ApiClient& api);

// Unit, state in people's words, health, and since when.
Row status_row(const Json& service);

}  // namespace leger
