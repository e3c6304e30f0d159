#pragma once

// The details of an error as lines for people: findings of a preflight, the report of a failed deployment. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace leger {

// Indented lines for the JSON text of an error's `details`; none where it is empty or not JSON. Control bytes are
// escaped, newlines within a text become lines.
std::vector<std::string> report_lines(std::string_view details);

}  // namespace leger
