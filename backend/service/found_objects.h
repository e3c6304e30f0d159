#pragma once

// Whose the networks and volumes are that an app's units name. What was there before the app came is somebody else's,
// and no deployment removes it. Loop thread; reads only.

#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/findings.h"
#include "backend/service/generation.h"

namespace leger {

// Parts the networks and volumes of `staged`, a generation of `app` that is not deployed yet, into its own and those
// that were found: there now, of no live app, and not left by an earlier deployment of this one. It may be asked again
// of what it has parted.
Task<Result<void>> part_found(DeployParts& parts, std::string user_uuid, std::string app, Generation& staged);

// The journal of a deployment that ended before it touched anything: no object is its own. Other texts stay as they
// are.
std::string disowned(const std::string& journal);

// `network-found` and `volume-found`. Pure.
void note_found_objects(const Generation& staged, std::vector<Finding>& notes);

}  // namespace leger
