#include "cli/dotenv.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "cli/secret_calls.h"
#include "cli/secret_value.h"
#include "quadlets/manifest.h"

namespace leger {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// An escape's letter beside the byte that it stands for.
constexpr std::string_view kEscapes = "nrt\"\\$";
constexpr std::string_view kEscaped = "\n\r\t\"\\$";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_blank(char c) { return kBlanks.contains(c); }

class DotenvReader {
 public:
  DotenvReader(std::string_view text, const std::string& source) : rest_(text), source_(source) {
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  Result<std::vector<DotenvEntry>> read() {
    std::vector<DotenvEntry> entries;
    while (!rest_.empty()) {
      const std::string_view line = trimmed(rest_of_line());
      if (!line.empty() && line.front() != '#') {
        auto entry = read_entry();
        if (!entry) return Fail(entry.error());
        entries.push_back(*std::move(entry));
      }
      finish_line();
    }
    if (!entries.empty()) return entries;
    return Fail({Code::invalid_request, source_ + " holds no secret.", "Write one NAME=VALUE a line.", {}});
  }

 private:
  std::string_view rest_of_line() const { return rest_.substr(0, rest_.find('\n')); }

  void finish_line() {
    rest_.remove_prefix(std::min(rest_of_line().size() + 1, rest_.size()));
    ++line_;
  }

  // Takes so many bytes, and counts the lines in them.
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    line_ += static_cast<std::size_t>(std::ranges::count(taken, '\n'));
    return taken;
  }

  Fail wrong(std::size_t line, std::string_view what, Code code = Code::invalid_request) const {
    return Fail({code,
                 source_ + ", line " + std::to_string(line) + ": " + std::string(what) + ".",
                 code == Code::invalid_secret_name ? kSecretNameRule : "Nothing was sent. Mend the line and try again.",
                 {}});
  }

  Result<DotenvEntry> read_entry() {
    const std::size_t line = line_;
    auto name = read_name();
    if (!name) return Fail(name.error());
    const std::string_view raw = rest_of_line();
    take(std::min(raw.find_first_not_of(kBlanks), raw.size()));
    const bool quoted = rest_.starts_with('"') || rest_.starts_with('\'');
    auto value = quoted ? read_quoted() : Result<Secret>(unquoted(raw));
    if (!value) return Fail(value.error());
    const std::size_t size = value->reveal().size();
    if (size == 0) return wrong(line, "the value is empty");
    if (size > kMaxSecretBytes) {
      return wrong(line, "the value is longer than " + std::to_string(kMaxSecretBytes) + " bytes",
                   Code::secret_value_too_large);
    }
    return DotenvEntry{*std::move(name), *std::move(value)};
  }

  // What stands before the `=`, which is taken too.
  Result<std::string> read_name() {
    const std::string_view line = rest_of_line();
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return wrong(line_, "there is no = after a name");
    std::string_view name = trimmed(take(equals + 1).substr(0, equals));
    constexpr std::string_view kExport = "export";
    if (name.starts_with(kExport) && name.size() > kExport.size() && is_blank(name[kExport.size()])) {
      name = trimmed(name.substr(kExport.size()));
    }
    if (!is_secret_name(name)) {
      return wrong(line_, "what stands before the = is no name for a secret", Code::invalid_secret_name);
    }
    const auto [before, is_new] = lines_.emplace(name, line_);
    if (!is_new) return wrong(line_, "the name is that of line " + std::to_string(before->second));
    return std::string(name);
  }

  static Secret unquoted(std::string_view raw) {
    for (std::size_t i = 1; i < raw.size(); ++i) {
      if (raw[i] == '#' && is_blank(raw[i - 1])) raw = raw.substr(0, i);
    }
    return Secret(std::string(trimmed(raw)));
  }

  Result<Secret> read_quoted() {
    const std::size_t line = line_;
    const char quote = take(1).front();
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] != quote) size += quote == '"' && rest_[size] == '\\' ? 2 : 1;
    if (size >= rest_.size()) return wrong(line, "the quoted value has no end");
    const std::string_view raw = take(size);
    take(1);
    const std::string_view behind = rest_of_line();
    const bool comment = !behind.empty() && is_blank(behind.front()) && trimmed(behind).starts_with('#');
    if (!trimmed(behind).empty() && !comment) return wrong(line_, "the line goes on after the closing quote");
    if (quote == '\'') return Secret(std::string(raw));
    auto value = unescaped(raw);
    if (!value) return wrong(line, "the value in double quotes has a \\ that begins no escape; write \\\\ for a \\");
    return *std::move(value);
  }

  static std::optional<Secret> unescaped(std::string_view raw) {
    Secret value;
    std::string& text = value.buffer();
    text.reserve(raw.size());  // so that it never moves and leaves a copy behind
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\') {
        text += raw[i];
        continue;
      }
      const std::size_t escape = kEscapes.find(raw[++i]);
      if (escape == std::string_view::npos) return std::nullopt;
      text += kEscaped[escape];
    }
    return value;
  }

  std::string_view rest_;
  const std::string& source_;
  std::size_t line_ = 1;
  std::map<std::string, std::size_t, std::less<>> lines_;  // of the names so far
};

}  // namespace

Result<std::vector<DotenvEntry>> read_dotenv(std::string_view text, const std::string& source) {
  return DotenvReader(text, source).read();
}

Secret dotenv_line(const std::string& name, const Secret& value) {
  Secret line;
  std::string& text = line.buffer();
  text.reserve(name.size() + 2 * value.reveal().size() + 4);  // so that it never moves and leaves a copy behind
  text.append(name).append("=\"");
  for (const char c : value.reveal()) {
    const std::size_t escape = kEscaped.find(c);
    if (escape == std::string_view::npos) {
      text += c;
    } else {
      text.append("\\").push_back(kEscapes[escape]);
    }
  }
  text += "\"\n";
  return line;
}

}  // namespace leger
