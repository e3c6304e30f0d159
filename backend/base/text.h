#pragma once

// Small questions about text that several rooms ask. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

// A to Z in lower case, every other byte as it is.
std::string ascii_lower(std::string_view text);

// Equal but for the case of A to Z.
bool equal_ignoring_case(std::string_view a, std::string_view b);

// Valid UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
bool is_utf8(std::string_view bytes);

// `text` with control bytes, DEL, C1 controls, bidirectional marks and bytes that are not UTF-8 as \xNN, so that it can
// neither end a line nor steer a terminal.
std::string escape_controls(std::string_view text);

// The parts of `text` between `separator`s; one part, perhaps empty, where there is none.
std::vector<std::string_view> split(std::string_view text, char separator);

// A whole decimal number without sign or leading blanks; nothing for other text or more than UINT64_MAX.
std::optional<std::uint64_t> parse_number(std::string_view text);

// RFC 4648 §4 with padding.
std::string base64_encode(std::string_view bytes);
// Strict: padding as it must be, no blanks, no spare bits; nothing otherwise.
std::optional<std::string> base64_decode(std::string_view text);

// One segment of a path or a value of a query: everything but letters, digits, `-` and `_` as %XX; dots too, since a
// client takes `..` for the folder above.
std::string percent_encode(std::string_view text);

// RFC 4648 §5 without padding, as RFC 7515 has it.
std::string base64url_encode(std::string_view bytes);
// Strict: no padding, no blanks, no spare bits; nothing otherwise.
std::optional<std::string> base64url_decode(std::string_view text);

// Lower-case hexadecimal.
std::string hex_encode(std::string_view bytes);

}  // namespace leger
