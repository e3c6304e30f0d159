#pragma once

// A generated unit with everything expanded that can be, and the names that units make. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quadlets/policy_context.h"
#include "quadlets/policy_lines.h"
#include "quadlets/policy_options.h"

namespace leger {

struct ExpandedCommand {
  std::string key;  // ExecStart, ExecStop, …
  std::string prefix;
  std::vector<std::string> words;
  bool is_readable = true;  // quotes are closed
};

struct ExpandedUnit {
  std::string name;
  std::string source;                        // path of its quadlet
  std::string kind;                          // container, volume, …: the ending of its quadlet
  std::vector<UnitEntry> entries;            // values with specifiers expanded
  std::vector<ExpandedCommand> commands;     // in order, those of one key together
  std::vector<UnitEntry> generator_entries;  // as Podman's generator reads them, which alone heeds [Install]
};

ExpandedUnit expand_unit(const GeneratedUnit& unit, const PolicyPlaces& places);

// What stands in a command line before, as, and behind the name of the podman command.
struct PodmanCall {
  std::vector<GivenOption> globals;
  std::vector<std::string> words;
};
// Nothing where the program is not /usr/bin/podman.
bool is_podman(const ExpandedCommand& command);
PodmanCall read_call(const ExpandedCommand& command);
// The words behind the command's `name` (`run`, `volume create`); nothing where it is another.
std::optional<std::vector<std::string>> words_behind(const PodmanCall& call, std::string_view name);

PolicyNames names_of(const std::vector<ExpandedUnit>& units);

}  // namespace leger
