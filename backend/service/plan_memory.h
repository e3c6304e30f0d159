#pragma once

// The plans that were shown to somebody: what an id stands for. The newest few of this run of legerd. Loop thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace leger {

class PlanMemory {
 public:
  static constexpr std::size_t kMost = 64;

  void remember(std::string id, std::string user_uuid, std::uint64_t version);
  // The release's version; nothing for a plan of somebody else, or one that was forgotten.
  std::optional<std::uint64_t> version_of(const std::string& id, const std::string& user_uuid) const;

 private:
  struct Shown {
    std::string id;
    std::string user_uuid;
    std::uint64_t version;
  };

  std::deque<Shown> shown_;
};

}  // namespace leger
