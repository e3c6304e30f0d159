#pragma once

// A quadlet's text read the way Podman's generator reads it: sections, repeated keys, continuation lines, comments.
// Only for what is asked before the generator has spoken (which secrets a unit names); what a unit may do is judged on
// what the generator makes of it. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

struct UnitEntry {
  std::string section;
  std::string key;
  std::string value;
  std::size_t line = 0;  // of the file, from 1: where the entry begins
};

// A line for which the generator refuses the whole file.
struct UnitProblem {
  std::size_t line = 0;
  std::string why;  // the end of a sentence that begins with the line
};

// Entries in order. The generator refuses a file with a line that is neither section, entry nor comment; here such a
// line is skipped, because the generator's dry run is what reports it.
std::vector<UnitEntry> parse_unit_file(std::string_view text);

// The lines that parse_unit_file skips, in order.
std::vector<UnitProblem> unit_file_problems(std::string_view text);

// The words of a value such as `Secret=`: parted by blanks, quotes and C escapes undone. An unknown escape voids the
// whole value, as it does for the generator.
std::vector<std::string> split_words(std::string_view value);

// The Podman secrets that `Secret=NAME[,…]` or `Secret=…,source=NAME` lines of a [Container] section name, without
// duplicates, in order. An empty `Secret=` forgets those before it. A [Build] section's `Secret=` means files, not
// these.
std::vector<std::string> secrets_of_unit(std::string_view text);
// The same of entries that several files gave: a unit's, then those of its drop-ins.
std::vector<std::string> secrets_of_entries(const std::vector<UnitEntry>& entries);

}  // namespace leger
