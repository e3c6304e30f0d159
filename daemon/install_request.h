#pragma once

// What the body of POST /api/deployments asks for. Pure.

#include <cstdint>
#include <optional>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "backend/service/install_options.h"

namespace leger {

struct InstallRequest {
  std::optional<std::uint64_t> version;  // nothing where options.plan_id says what to install
  InstallOptions options;
};

// invalid_request unless the body names either a version or a plan, and each other field is what it has to be.
Result<InstallRequest> read_install_request(const Json& body);

}  // namespace leger
