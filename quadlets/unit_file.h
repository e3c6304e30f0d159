#pragma once

// A quadlet's text read the way Podman's generator reads it: sections, repeated keys, continuation lines, comments.
// Only for what is asked before the generator has spoken (which secrets a unit names); what a unit may do is judged on
// what the generator makes of it. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace leger {

struct UnitEntry {
  std::string section;
  std::string key;
  std::string value;
};

// Entries in order; lines that are neither section, entry nor comment are skipped as the generator does.
std::vector<UnitEntry> parse_unit_file(std::string_view text);

// The Podman secrets that `Secret=NAME[,…]` lines of a [Container] (or [Build]) section name, without duplicates, in order.
std::vector<std::string> secrets_of_unit(std::string_view text);

}  // namespace leger
