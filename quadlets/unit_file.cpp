#include "quadlets/unit_file.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_comment(std::string_view line) { return line.empty() || line.front() == '#' || line.front() == ';'; }

struct Line {
  std::string text;
  std::size_t number = 0;  // of its first line in the file, from 1
};

// The lines of a file as the generator sees them: trimmed, continued lines joined, comments inside a continuation gone.
std::vector<Line> logical_lines(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::vector<std::string_view> physical = split(text, '\n');
  std::vector<Line> lines;
  Line begun;  // what the lines before this one left to be continued
  for (std::size_t i = 0; i < physical.size(); ++i) {
    std::string_view line = trimmed(physical[i]);
    if (is_comment(line)) continue;
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.remove_suffix(1);
    if (begun.number == 0) begun.number = i + 1;
    begun.text += line;
    if (goes_on && i + 1 < physical.size()) continue;
    lines.push_back(std::exchange(begun, {}));
  }
  return lines;
}

// The name in `[name]`; nothing where the line is no section.
std::optional<std::string_view> section_name(std::string_view line) {
  if (!line.starts_with('[')) return std::nullopt;
  const std::size_t end = line.find(']');
  if (end == std::string_view::npos || !trimmed(line.substr(end + 1)).empty()) return std::nullopt;
  return line.substr(1, end - 1);
}

void append_utf8(std::string& to, char32_t c) {
  const auto put = [&to](char32_t byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

// The number in exactly `count` digits of `base` that start `text`.
std::optional<char32_t> digits(std::string_view text, std::size_t count, int base) {
  if (text.size() < count) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(0, count)) {
    if (digit_value(c) >= base) return std::nullopt;
    value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(digit_value(c));
  }
  if (value == 0 || value > 0x10FFFF) return std::nullopt;
  return static_cast<char32_t>(value);
}

struct Escape {
  char32_t character;
  std::size_t length;  // without the backslash
};

// The escape whose text after the backslash starts `text`; nothing for one that the generator does not know.
std::optional<Escape> read_escape(std::string_view text) {
  constexpr std::string_view kLetters = "abfnrtv\\\"'s";
  constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\\"' ";
  const char letter = text.front();
  if (const std::size_t at = kLetters.find(letter); at != std::string_view::npos) {
    return Escape{static_cast<unsigned char>(kMeaning[at]), 1};
  }
  std::size_t skip = 1;
  std::size_t count = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  int base = 16;
  if (letter >= '0' && letter <= '7') {
    skip = 0;
    count = 3;
    base = 8;
  }
  if (count == 0) return std::nullopt;
  const auto value = digits(text.substr(skip), count, base);
  if (!value || (base == 8 && *value > 255)) return std::nullopt;
  return Escape{*value, skip + count};
}

// Takes the first word off `text`; empty where there is none (the generator stops at an empty word too), nothing where
// an escape is unknown.
std::optional<std::string> take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  std::string word;
  char quote = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (quote == 0 && kBlanks.find(c) != std::string_view::npos) break;
    text.remove_prefix(1);
    if (c == '\\') {
      if (text.empty()) break;
      const auto escape = read_escape(text);
      if (!escape) return std::nullopt;
      append_utf8(word, escape->character);
      text.remove_prefix(escape->length);
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      word += c;
    }
  }
  return word;
}

// What keeps the generator from reading a line outside comments; nothing where it can.
std::optional<std::string> problem_of(const std::string& line) {
  if (const auto name = section_name(line)) {
    if (name->empty() || name->contains('[')) return "names no section that there can be";
    return std::nullopt;
  }
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos || equals == 0) return "is no [Section], no Key=value and no comment";
  if (line.find_first_of("[]") < equals) return "has a key with [ or ] in it";
  return std::nullopt;
}

// `NAME[,option…]`, or options with `source=NAME` among them.
std::string secret_name(std::string_view word) {
  const std::vector<std::string_view> parts = split(word, ',');
  std::string_view name;
  if (parts.size() == 1 || parts.front().find('=') == std::string_view::npos) name = parts.front();
  if (parts.size() == 1) return std::string(name);
  for (const std::string_view part : parts) {
    if (part.starts_with("source=")) name = part.substr(7);
  }
  return std::string(name);
}

}  // namespace

std::vector<UnitEntry> parse_unit_file(std::string_view text) {
  std::vector<UnitEntry> entries;
  std::string section;
  for (const Line& line : logical_lines(text)) {
    const std::size_t equals = line.text.find('=');
    if (const auto name = section_name(line.text)) {
      section = *name;
    } else if (!section.empty() && equals != std::string::npos && equals != 0) {
      const std::string_view view(line.text);
      entries.push_back({section, std::string(trimmed(view.substr(0, equals))),
                         std::string(trimmed(view.substr(equals + 1))), line.number});
    }
  }
  return entries;
}

std::vector<UnitProblem> unit_file_problems(std::string_view text) {
  std::vector<UnitProblem> problems;
  bool has_section = false;
  for (const Line& line : logical_lines(text)) {
    has_section = has_section || section_name(line.text);
    auto why = problem_of(line.text);
    if (!why && !has_section) why = "stands before the first [Section]";
    if (why) problems.push_back({line.number, std::move(*why)});
  }
  return problems;
}

std::vector<std::string> split_words(std::string_view value) {
  std::vector<std::string> words;
  while (true) {
    auto word = take_word(value);
    if (!word) return {};
    if (word->empty()) return words;
    words.push_back(std::move(*word));
  }
}

std::vector<std::string> secrets_of_entries(const std::vector<UnitEntry>& entries) {
  std::vector<std::string> names;
  for (const UnitEntry& entry : entries) {
    if (entry.section != "Container" || entry.key != "Secret") continue;
    if (entry.value.empty()) names.clear();
    for (const std::string& word : split_words(entry.value)) {
      std::string name = secret_name(word);
      if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  }
  return names;
}

std::vector<std::string> secrets_of_unit(std::string_view text) { return secrets_of_entries(parse_unit_file(text)); }

}  // namespace leger
