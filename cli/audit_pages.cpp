#include "cli/audit_pages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kPage = 100;

std::string path_of(const AuditFilter& filter, std::size_t limit, std::optional<std::int64_t> before) {
  std::string path = "/api/audit?limit=" + std::to_string(limit);
  if (before) path += "&before=" + std::to_string(*before);
  if (!filter.object.empty()) path += "&object=" + percent_encode(filter.object);
  if (!filter.action.empty()) path += "&action=" + percent_encode(filter.action);
  return path;
}

}  // namespace

Result<AuditPages> read_audit(ApiClient& api, const AuditFilter& filter, std::size_t limit, std::size_t requests,
                              const std::function<bool(const Json&)>& wanted) {
  AuditPages pages;
  for (std::size_t i = 0; i < requests; ++i) {
    auto data = api.get(path_of(filter, std::min(limit - pages.entries.size(), kPage), pages.next));
    if (!data) return Fail(data.error());
    const auto entries = data->find("entries");
    if (entries == data->end() || !entries->is_array()) return Fail(api.garbled("it sends no entries of the audit"));
    for (Json& entry : *entries) {
      if (wanted(entry)) pages.entries.push_back(std::move(entry));
    }
    pages.next = integer_field(*data, "next");
    if (!pages.next || pages.entries.size() >= limit) break;
  }
  return pages;
}

}  // namespace leger
