#pragma once

// Reads legerd's audit page by page, newest first. One thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "cli/api_client.h"

namespace leger {

struct AuditFilter {
  std::string object;  // empty: all
  std::string action;  // empty: all
};

struct AuditPages {
  std::vector<Json> entries;         // newest first
  std::optional<std::int64_t> next;  // where the older ones begin; nothing: there are none
};

// The newest `limit` entries that `wanted` takes. A page may be empty although older ones follow: at most `requests`
// are made, and what was found by then is the result.
Result<AuditPages> read_audit(ApiClient& api, const AuditFilter& filter, std::size_t limit, std::size_t requests,
                              const std::function<bool(const Json&)>& wanted);

}  // namespace leger
