#pragma once

// Which job ended how: what JobRemoved says, kept until whoever queued the job knows its path. systemd may say so
// before we have seen the answer that names the path, and it speaks of jobs that others queued, too. Owned by
// SystemdUnits; loop thread.

#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <utility>

#include "backend/base/error.h"
#include "backend/base/loop.h"

namespace leger {

class JobWatch;

class JobResults {
 public:
  // A JobRemoved came: `path` is the job's, `result` systemd's word.
  void ended(const std::string& path, const std::string& result);
  // No more JobRemoved of the jobs that are watched now will come.
  void lost();

 private:
  friend class JobWatch;
  using End = std::pair<std::string, std::string>;  // path, result
  static constexpr std::size_t kRemembered = 256;

  bool someone_waits_for_a_path() const;

  std::set<JobWatch*> watches_;
  std::deque<End> early_;  // the newest kRemembered, while a watch has no path yet
};

// One job, from before it is queued to its end; lives in the frame of whoever waits for it.
class JobWatch {
 public:
  // Both outlive the watch.
  JobWatch(Loop& loop, JobResults& results);
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  // The job has this path; its end may be known already.
  void follow(std::string path);

  // Set with the job's result, or with upstream_failed when it cannot be known any more; a deadline may set it as well.
  const OneShot<Result<std::string>>& end() const { return end_; }

 private:
  friend class JobResults;
  JobResults& results_;
  OneShot<Result<std::string>> end_;
  std::string path_;  // empty: not known yet
};

}  // namespace leger
