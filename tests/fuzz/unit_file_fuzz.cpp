// Any text as a quadlet, and as the output and diagnostics of the generator: no crash, and what is read keeps its form.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "quadlets/generator.h"
#include "quadlets/unit_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const leger::UnitEntry& entry : leger::parse_unit_file(text)) {
    if (entry.section.empty() || entry.key.empty() || entry.key.find('=') != std::string::npos) std::abort();
  }
  for (const leger::UnitProblem& problem : leger::unit_file_problems(text)) {
    if (problem.line == 0 || problem.line > size) std::abort();
  }
  for (const std::string& name : leger::secrets_of_unit(text)) {
    if (name.empty()) std::abort();
  }
  for (const leger::GeneratedUnit& unit : leger::parse_dry_run(text, text).units) {
    if (unit.name.find('/') != std::string::npos) std::abort();
  }
  return 0;
}
