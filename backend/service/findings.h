#pragma once

// What there is to say about a release before it is installed: what forbids it, what a person has to accept, and what
// is only told. Values.

#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/json.h"

namespace leger {

struct Finding {
  std::string id;     // stable for the same release and host
  std::string level;  // denied, flagged, note
  std::string file;   // of the bundle; empty where it is about the whole
  std::string message;
};

// Adds a finding; its id is `rule:file`.
void deny(std::vector<Finding>& findings, std::string rule, std::string file, std::string message);
void flag(std::vector<Finding>& findings, std::string rule, std::string file, std::string message);
void note(std::vector<Finding>& findings, std::string rule, std::string file, std::string message);

// The contract's list of findings.
Json findings_json(const std::vector<Finding>& findings);

// preflight_failed with the findings, of which there is at least one, in `details`.
Error refused_release(const std::vector<Finding>& denied);

// confirmation_required with those of `flags` in `details` that `accepted` lacks; nothing where it has all.
Result<void> check_accepted(const std::vector<Finding>& flags, const std::vector<std::string>& accepted);

// conflict: what a plan was made of is another thing now, or nobody knows the plan any more.
Error plan_out_of_date();

}  // namespace leger
