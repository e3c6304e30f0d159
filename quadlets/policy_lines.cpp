#include "quadlets/policy_lines.h"

#include <algorithm>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::string_view kBlanks = " \t\n\r";

bool is_blank(char c) { return kBlanks.contains(c); }

std::string_view without_leading(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

std::string_view trimmed(std::string_view text) {
  text = without_leading(text);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

std::vector<std::string_view> physical_lines(std::string_view text) {
  constexpr std::string_view kEnds("\n\r\0", 3);
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(kEnds);
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

// A backslash at the end goes on only where it is not escaped itself.
bool goes_on(std::string_view line) {
  bool escaped = false;
  for (const char c : line) escaped = !escaped && c == '\\';
  return escaped;
}

std::vector<std::string> logical_lines(std::string_view text) {
  std::vector<std::string> lines;
  std::string begun;
  bool continues = false;
  for (const std::string_view physical : physical_lines(text)) {
    const std::string_view line = without_leading(physical);
    if (!line.empty() && (line.front() == '#' || line.front() == ';')) continue;
    if (!continues) begun.clear();
    begun += line;
    continues = goes_on(begun);
    if (continues) {
      begun.back() = ' ';
    } else {
      lines.push_back(std::exchange(begun, {}));
    }
  }
  if (continues) lines.push_back(begun);
  return lines;
}

std::optional<unsigned> number_in(std::string_view digits, unsigned base) {
  unsigned value = 0;
  for (const char c : digits) {
    unsigned digit = 99;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

std::string utf8(unsigned c) {
  const auto byte = [](unsigned value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | (c >> 6)), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) return {byte(0xE0 | (c >> 12)), byte(0x80 | ((c >> 6) & 0x3F)), byte(0x80 | (c & 0x3F))};
  return {byte(0xF0 | (c >> 18)), byte(0x80 | ((c >> 12) & 0x3F)), byte(0x80 | ((c >> 6) & 0x3F)),
          byte(0x80 | (c & 0x3F))};
}

struct Escape {
  std::string bytes;
  std::size_t length;  // without the backslash
};

std::optional<Escape> read_escape(std::string_view text) {
  constexpr std::string_view kLetters = "abfnrtv\\\"'s";
  constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\\"' ";
  const char letter = text.front();
  if (const std::size_t at = kLetters.find(letter); at != std::string_view::npos) {
    return Escape{std::string(1, kMeaning[at]), 1};
  }
  const bool is_octal = letter >= '0' && letter <= '7';
  const std::size_t skip = is_octal ? 0 : 1;
  const std::size_t count = is_octal ? 3 : letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  if (count == 0 || text.size() < skip + count) return std::nullopt;
  const auto value = number_in(text.substr(skip, count), is_octal ? 8 : 16);
  if (!value || *value == 0 || *value > 0x10FFFF || (is_octal && *value > 255)) return std::nullopt;
  const bool is_byte = is_octal || letter == 'x';
  return Escape{is_byte ? std::string(1, static_cast<char>(static_cast<unsigned char>(*value))) : utf8(*value),
                skip + count};
}

// Takes the first word off `text`, which begins with one; nothing where a quote stays open.
std::optional<std::string> take_word(std::string_view& text) {
  std::string word;
  char quote = 0;
  while (!text.empty()) {
    const char c = text.front();
    if (quote == 0 && is_blank(c)) break;
    text.remove_prefix(1);
    if (c == '\\') {
      const auto escape = text.empty() ? std::nullopt : read_escape(text);
      // An unknown escape is kept as it is, with a warning.
      word += escape ? escape->bytes : "\\";
      if (escape) text.remove_prefix(escape->length);
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else {
      word += c;
    }
  }
  if (quote != 0) return std::nullopt;
  return word;
}

// Whether `text` begins with `word` and that is all of its first word.
bool begins_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || is_blank(text[word.size()]));
}

}  // namespace

std::vector<UnitEntry> read_service_text(std::string_view text) {
  std::vector<UnitEntry> entries;
  std::string section;
  for (const std::string& logical : logical_lines(text)) {
    const std::string_view line = trimmed(logical);
    if (line.starts_with('[')) {
      section = line.ends_with(']') ? line.substr(1, line.size() - 2) : line.substr(1);
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    entries.push_back({.section = section,
                       .key = std::string(trimmed(line.substr(0, equals))),
                       .value = std::string(trimmed(line.substr(equals + 1)))});
  }
  return entries;
}

std::optional<std::vector<ServiceCommand>> read_commands(std::string_view value) {
  std::vector<ServiceCommand> commands;
  bool is_new = true;
  for (value = without_leading(value); !value.empty(); value = without_leading(value)) {
    if (begins_with_word(value, ";")) {
      value.remove_prefix(1);
      is_new = true;
      continue;
    }
    if (is_new) commands.emplace_back();
    std::optional<std::string> word;
    if (begins_with_word(value, "\\;")) {
      value.remove_prefix(2);
      word = ";";
    } else {
      word = take_word(value);
    }
    if (!word) return std::nullopt;
    if (std::exchange(is_new, false)) {
      const std::size_t path = std::min(word->find_first_not_of("@-:+!|"), word->size());
      commands.back().prefix = word->substr(0, path);
      word->erase(0, path);
    }
    commands.back().words.push_back(std::move(*word));
  }
  return commands;
}

bool has_unknown(std::string_view text) { return text.contains(kUnknownSpecifier) || text.contains(kUnknownVariable); }

std::string expand_specifiers(std::string_view text, const std::map<char, std::string>& known) {
  std::string expanded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '%' || letter == '\0') {
      expanded += text[i];
      continue;
    }
    ++i;
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (letter == '%') {
      expanded += '%';
    } else if (const auto value = known.find(letter); value != known.end()) {
      expanded += value->second;
    } else if (is_letter) {
      expanded += kUnknownSpecifier;
    } else {
      expanded += '%';
      expanded += letter;
    }
  }
  return expanded;
}

std::string expand_variables(std::string_view word, const std::map<std::string, std::string, std::less<>>& known) {
  const auto value_of = [&known](std::string_view name) {
    const auto value = known.find(name);
    return value == known.end() ? std::string(1, kUnknownVariable) : value->second;
  };
  if (word.starts_with('$') && !word.starts_with("$$") && !word.starts_with("${")) return value_of(word.substr(1));
  std::string expanded;
  while (!word.empty()) {
    const std::size_t end = word.starts_with("${") ? word.find('}') : std::string_view::npos;
    if (end != std::string_view::npos) {
      expanded += value_of(word.substr(2, end - 2));
      word.remove_prefix(end + 1);
      continue;
    }
    expanded += word.front();
    word.remove_prefix(word.starts_with("$$") ? 2 : 1);
  }
  return expanded;
}

std::string unescape_unit_name(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const auto value = name.starts_with("\\x") && name.size() >= 4 ? number_in(name.substr(2, 2), 16) : std::nullopt;
    plain += value ? static_cast<char>(static_cast<unsigned char>(*value)) : name.front() == '-' ? '/' : name.front();
    name.remove_prefix(value ? 4 : 1);
  }
  return plain;
}

}  // namespace leger
