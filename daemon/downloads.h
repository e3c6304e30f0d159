#pragma once

// What the routes of releases share: which release a path names, and whether its bundle is wanted or what is known of
// it. Loop thread.

#include "backend/base/error.h"
#include "backend/store/releases.h"
#include "daemon/http_types.h"
#include "daemon/route_context.h"

namespace leger {

Error no_such_release();

// The caller's release that the first parameter numbers; release_not_found.
Result<Release> release_in_path(const RouteContext& context, const Request& request);

// Whether Accept names application/gzip, and not application/json as well.
bool wants_bundle(const Head& head);

}  // namespace leger
