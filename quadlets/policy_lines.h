#pragma once

// A unit's text, and the command lines in it, as systemd reads them: its line ends, continuations, quotes, escapes,
// specifiers and variables, which are not those of Podman's generator. From systemd's config_parse(),
// extract_first_word(), specifier_printf() and replace_env_argv(). Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quadlets/unit_file.h"

namespace leger {

// The assignments in order; their `line` is 0. A carriage return and a NUL end a line for systemd, though not for the
// generator, so that one line of a quadlet can be several here.
std::vector<UnitEntry> read_service_text(std::string_view text);

struct ServiceCommand {
  std::string prefix;              // of @ - : + ! |
  std::vector<std::string> words;  // quotes and escapes undone; specifiers and variables are still there
};

// The commands of an Exec line, parted by a lone `;`. Nothing where quotes are open and systemd refuses the line.
std::optional<std::vector<ServiceCommand>> read_commands(std::string_view value);

// Stand in expanded text for what is known only on the running host.
inline constexpr char kUnknownSpecifier = '\x01';
inline constexpr char kUnknownVariable = '\x02';

// Whether a part of `text` is known only on the running host.
bool has_unknown(std::string_view text);

// `%x` for every specifier in `known`, `%` for `%%`; kUnknownSpecifier for other letters that systemd knows.
std::string expand_specifiers(std::string_view text, const std::map<char, std::string>& known);

// `${NAME}`, a whole word `$NAME`, and `$$`.
std::string expand_variables(std::string_view word, const std::map<std::string, std::string, std::less<>>& known);

// A part of a unit's name with `-` as `/` and `\xNN` undone, as %I, %J, %P and %f have it.
std::string unescape_unit_name(std::string_view name);

}  // namespace leger
