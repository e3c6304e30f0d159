#pragma once

// What is kept with a deployment that failed: why, and what the host has to say of it. Loop thread; reads only.

#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/service/deploy_parts.h"

namespace leger {

// A secret's value that must not be seen, and its name.
struct HiddenValue {
  std::string name;
  Secret value;
};

// `text` with each of the values replaced by `[secret NAME]`. A value of several lines is looked for as a whole and
// line by line, since the journal keeps lines; of less than 4 bytes nothing is replaced: it is no secret, and the text
// would be full of it. Longer values first, so that of two that overlap nothing stays.
std::string hide_values(std::string text, const std::vector<HiddenValue>& values);

// A report with more said in its message, and where `action` is not empty, with that in place of its own.
std::string add_to_report(const std::string& report, const std::string& text, const std::string& action = {});

// `error` as the row's failure report, JSON text: code, message, action, and where a unit is at fault `unit`, the
// generator's lines about it where it was not loaded, the last journal lines of the unit since the deployment began,
// and the log of its health check. Values of the deployment's secrets, and of those of the generation before it, are
// hidden in all of it; where one cannot be read, the lines are left out. To be made before anything is put back: a
// container that is gone has no log.
Task<std::string> failure_report(DeployParts& parts, Deployment row, Error error);

}  // namespace leger
