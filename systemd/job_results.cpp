#include "systemd/job_results.h"

#include <algorithm>

namespace leger {

void JobResults::ended(const std::string& path, const std::string& result) {
  for (const JobWatch* watch : watches_) {
    if (watch->path_ == path) watch->end_.set(result);
  }
  if (!someone_waits_for_a_path()) return;
  if (early_.size() == kRemembered) early_.pop_front();
  early_.emplace_back(path, result);
}

void JobResults::lost() {
  early_.clear();
  for (const JobWatch* watch : watches_) {
    watch->end_.set(Fail({Code::upstream_failed,
                          "The connection to systemd was lost before the job ended.",
                          "See what became of it with systemctl --user status.",
                          {}}));
  }
}

bool JobResults::someone_waits_for_a_path() const {
  return std::ranges::any_of(watches_, [](const JobWatch* watch) { return watch->path_.empty(); });
}

JobWatch::JobWatch(Loop& loop, JobResults& results) : results_(results), end_(loop) { results_.watches_.insert(this); }

JobWatch::~JobWatch() {
  results_.watches_.erase(this);
  if (!results_.someone_waits_for_a_path()) results_.early_.clear();
}

void JobWatch::follow(std::string path) {
  path_ = std::move(path);
  const auto known = std::ranges::find(results_.early_, path_, &JobResults::End::first);
  if (known != results_.early_.end()) end_.set(known->second);
  if (!results_.someone_waits_for_a_path()) results_.early_.clear();
}

}  // namespace leger
