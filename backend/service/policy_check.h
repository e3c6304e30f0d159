#pragma once

// The policy of quadlets/policy.h asked about a staged app, with what this host allows. Blocking reads; for the pool.

#include <string>
#include <vector>

#include "backend/service/deploy_parts.h"
#include "backend/service/generation.h"
#include "quadlets/generator.h"
#include "quadlets/policy.h"

namespace leger {

struct PolicyQuestion {
  std::string app;
  std::string staged_folder;
  std::string live_folder;
};

// Findings of the units that `staged_run` made from the staged folder, and of its drop-ins. `live_run` says which names
// belong to other apps. internal_error where a file of the staged folder cannot be read.
Result<std::vector<PolicyFinding>> ask_policy(const PolicySettings& settings, const PolicyQuestion& question,
                                              const Generation& staged, const DryRun& staged_run,
                                              const DryRun& live_run);

}  // namespace leger
