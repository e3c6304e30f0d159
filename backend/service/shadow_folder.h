#pragma once

// A folder that hides drop-ins of an app's live folder from the generator's look at what is to replace it. The
// generator merges the drop-ins of a unit from every folder it is given, and of two with one name the first counts:
// without this the ones that a release has no more would be seen in it. Blocking; for the pool.

#include <string>

#include "backend/base/error.h"

namespace leger {

// Makes `shadow` with an empty file for each drop-in that is in `live_folder` and not in `staging`, at the same path.
// Where there is none nothing is made. `shadow` is in the way of nothing and removed by the caller.
Result<void> make_shadow(const std::string& staging, const std::string& live_folder, const std::string& shadow);

}  // namespace leger
