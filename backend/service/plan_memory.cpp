#include "backend/service/plan_memory.h"

#include <utility>

namespace leger {

void PlanMemory::remember(std::string id, std::string user_uuid, std::uint64_t version) {
  std::erase_if(shown_, [&](const Shown& shown) { return shown.id == id && shown.user_uuid == user_uuid; });
  shown_.push_back({std::move(id), std::move(user_uuid), version});
  if (shown_.size() > kMost) shown_.pop_front();
}

std::optional<std::uint64_t> PlanMemory::version_of(const std::string& id, const std::string& user_uuid) const {
  for (const Shown& shown : shown_) {
    if (shown.id == id && shown.user_uuid == user_uuid) return shown.version;
  }
  return std::nullopt;
}

}  // namespace leger
