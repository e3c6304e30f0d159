#include "quadlets/policy_mounts.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "backend/base/text.h"
#include "quadlets/policy_lines.h"
#include "quadlets/policy_values.h"

namespace leger {
namespace {

bool is_path(std::string_view source) { return source.starts_with('/') || source.starts_with('.'); }

bool is_true(std::string_view value) { return value.empty() || value == "true" || value == "1" || value == "t"; }

// The options behind a volume's second colon, or those of a mount, each with or without a value.
struct MountOptions {
  bool read_only = false;
  bool changes_owner = false;
  std::vector<std::string_view> written_paths;  // of an overlay
  bool propagates = false;
};

void read_option(MountOptions& options, std::string_view option) {
  const std::size_t equals = option.find('=');
  const std::string_view name = option.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
  if (name == "ro" || name == "readonly") options.read_only = is_true(value);
  if (name == "rw") options.read_only = !is_true(value);
  // An overlay's changes go elsewhere.
  if (name == "O") options.read_only = true;
  if ((name == "U" || name == "chown") && is_true(value)) options.changes_owner = true;
  if (name == "upperdir" || name == "workdir") options.written_paths.push_back(value);
  const std::string_view propagation = name == "bind-propagation" ? value : name;
  if (propagation == "shared" || propagation == "rshared") options.propagates = true;
}

// A source that may be a path of the host, or a volume's name.
void judge_source(PolicyContext& context, const std::string& what, std::string_view source,
                  const MountOptions& options) {
  // A volume of the app itself is what the app brings; so is a source that is not there at all.
  if (has_unknown(source.substr(0, 1))) {
    context.deny("variable", what + " begins with a variable or specifier that is known only when the unit starts");
  } else if (is_path(source)) {
    const bool writes = !options.read_only || options.changes_owner;
    context.path(what, source, writes ? Access::writes : Access::reads);
  } else if (context.others().volumes.contains(std::string(source)) &&
             !context.own().volumes.contains(std::string(source))) {
    context.flag("foreign-volume", what + " is a volume of another app");
  }
  for (const std::string_view path : options.written_paths) context.path(what, path, Access::writes);
  if (options.propagates) context.flag("mount-propagation", what + " hands its mounts on to the host");
}

// A variable anywhere in a mount may hold another source or option.
void deny_variable(PolicyContext& context, const std::string& value) {
  context.deny("variable", "the mount " + value + " has a variable that is known only when the unit starts");
}

}  // namespace

std::vector<std::string> csv_fields(std::string_view record) {
  std::vector<std::string> fields(1);
  bool in_quotes = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    const bool is_double = in_quotes && c == '"' && i + 1 < record.size() && record[i + 1] == '"';
    if (is_double) {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      in_quotes = !in_quotes;
    } else if (c == ',' && !in_quotes) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

void judge_volume(PolicyContext& context, const std::string& value) {
  if (value.contains(kUnknownVariable)) return deny_variable(context, value);
  const std::vector<std::string_view> parts = split(value, ':');
  if (parts.size() < 2) return;  // a volume without a name
  MountOptions options;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    for (const std::string_view option : split(parts[i], ',')) read_option(options, option);
  }
  judge_source(context, "the mount " + value, parts.front(), options);
}

void judge_mount(PolicyContext& context, const std::string& value) {
  if (value.contains(kUnknownVariable)) return deny_variable(context, value);
  MountOptions options;
  const std::string what = "the mount " + value;
  std::optional<std::string> given_type;
  std::string source;
  for (const std::string& field : csv_fields(value)) {
    const std::size_t equals = field.find('=');
    const std::string name = ascii_lower(field.substr(0, equals));
    if (equals != std::string::npos && name == "type") {
      if (given_type) context.deny("mount-type", what + " has two types, of which podman heeds the first");
      if (!given_type) given_type = field.substr(equals + 1);
    }
    if (equals != std::string::npos && (name == "src" || name == "source")) source = field.substr(equals + 1);
    read_option(options, field);
  }
  const std::string type = given_type.value_or("volume");
  if (type == "image") return judge_image(context, source);
  if (type == "tmpfs" || type == "ramfs" || type == "devpts") return;
  // What a pattern finds lies below the folder before its first wildcard.
  if (type == "glob") {
    const std::size_t wildcard = source.find_first_of("*?[{\\");
    if (wildcard != std::string::npos) source.resize(source.rfind('/', wildcard) + 1);
    if (source.empty()) source = ".";
  }
  if (type == "bind" && !source.empty() && !is_path(source) && !has_unknown(source)) source = "./" + source;
  judge_source(context, what, source, options);
}

void judge_volume_option(PolicyContext& context, const std::string& value) {
  if (value.starts_with("device=")) {
    const std::string device = value.substr(7);
    // tmpfs and the like name no path.
    if (is_path(device) || has_unknown(device)) context.path("the volume's device " + device, device, Access::writes);
  } else if (value.starts_with("image=")) {
    judge_image(context, value.substr(6));
  } else if (value.starts_with("o=")) {
    MountOptions options;
    for (const std::string_view option : split(std::string_view(value).substr(2), ',')) read_option(options, option);
    for (const std::string_view path : options.written_paths) {
      context.path("the volume's option " + value, path, Access::writes);
    }
    for (const std::string_view option : split(std::string_view(value).substr(2), ',')) {
      const std::size_t path = option.find("dir=");
      if (path == std::string_view::npos || option.starts_with("upperdir=") || option.starts_with("workdir=")) continue;
      for (const std::string_view lower : split(option.substr(path + 4), ':')) {
        context.path("the volume's option " + value, lower, Access::reads);
      }
    }
  }
}

}  // namespace leger
