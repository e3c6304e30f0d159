#pragma once

// The contract's envelopes: `{"success":true,"data":…}` and the two dialects of failure, chosen by the path. Pure.

#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "daemon/http_types.h"

namespace leger {

// 200 or `status` with `data` in the envelope.
Response success(const Json& data, int status = 200);

// The answer to a request for `path` that failed; `allow` is for method_not_allowed.
Response failure(const Error& error, std::string_view path, const std::string& allow);

}  // namespace leger
