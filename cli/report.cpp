#include "cli/report.h"

#include <algorithm>
#include <cstddef>

#include "backend/base/json.h"
#include "backend/base/text.h"

namespace leger {
namespace {

class Lines {
 public:
  // `name` is the field's, empty for an element of a list.
  void add(std::size_t depth, const std::string& name, const Json& value) {
    if (value.is_null()) return;
    if (value.is_structured()) {
      add_structure(depth, name, value);
    } else {
      add_text(depth, name, value.is_string() ? value.get<std::string>() : dump(value));
    }
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  void add_structure(std::size_t depth, const std::string& name, const Json& value) {
    if (value.empty()) return;
    const auto message = text_field(value, "message");
    if (name.empty() && message) {
      add_finding(depth, value, *message);
      return;
    }
    if (!name.empty()) {
      put(depth, name + ":");
      ++depth;
    }
    for (const auto& [key, part] : value.items()) add(depth, value.is_object() ? key : "", part);
  }

  // `[deny] hello.container: it mounts /`: the three fields of a finding that people need.
  void add_finding(std::size_t depth, const Json& finding, const std::string& message) {
    const auto level = text_field(finding, "level");
    const auto file = text_field(finding, "file");
    add_text(depth, file.value_or(""), (level ? "[" + *level + "] " : "") + message);
  }

  void add_text(std::size_t depth, const std::string& name, std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    const auto parts = split(text, '\n');
    if (parts.size() == 1) {
      put(depth, name.empty() ? std::string(text) : name + ": " + std::string(text));
      return;
    }
    if (!name.empty()) put(depth++, name + ":");
    for (const std::string_view part : parts) put(depth, part);
  }

  void put(std::size_t depth, std::string_view text) {
    lines_.push_back(std::string(2 * depth, ' ') + escape_controls(text));
  }

  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> report_lines(std::string_view details) {
  if (details.empty()) return {};
  const Json value = Json::parse(details, nullptr, false);
  if (value.is_discarded()) return {};
  Lines lines;
  lines.add(1, "", value);
  return lines.take();
}

}  // namespace leger
