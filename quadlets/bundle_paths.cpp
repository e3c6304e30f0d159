#include "quadlets/bundle_paths.h"

#include <algorithm>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

bool allowed(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || c == '@' || c == '_' || c == '.' || c == '-';
}

std::unexpected<std::string> problem(std::string text) { return std::unexpected(std::move(text)); }

}  // namespace

std::expected<std::string, std::string> clean_path(std::string_view path, PathLimits limits) {
  if (path.starts_with('/')) return problem("is an absolute path");
  if (path == ".") return std::string();
  if (path.starts_with("./")) path.remove_prefix(2);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return std::string();
  if (path.size() > limits.path_bytes) {
    return problem("has a path of more than " + std::to_string(limits.path_bytes) + " bytes");
  }
  const std::vector<std::string_view> segments = split(path, '/');
  for (const std::string_view segment : segments) {
    if (segment.empty()) return problem("has an empty part in its path");
    if (segment == "..") return problem("climbs out of the bundle with ..");
    if (segment.front() == '.') return problem("is hidden: a part of its path starts with a dot");
    if (!std::ranges::all_of(segment, allowed))
      return problem("has other characters than A-Z a-z 0-9 @ _ . - in its name");
  }
  if (segments.size() > limits.levels) {
    return problem("lies deeper than " + std::to_string(limits.levels) + " levels");
  }
  return std::string(path);
}

std::string shown(std::string_view name) {
  constexpr std::size_t kMost = 100;
  std::string text = escape_controls(name.substr(0, kMost));
  if (name.size() > kMost || text.size() > kMost) {
    text.resize(std::min(text.size(), kMost));
    // Cutting may have parted a character of several bytes.
    while (!is_utf8(text)) text.pop_back();
    text += "…";
  }
  return text;
}

std::expected<void, std::string> BundlePaths::add_parents(const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    std::string parent = path.substr(0, slash);
    const auto [place, is_new] = places_.try_emplace(ascii_lower(parent), Place{parent, Kind::implied_folder});
    if (is_new) continue;
    if (place->second.path != parent) return problem("lies in a folder that is there in another case too");
    if (place->second.kind == Kind::file) return problem("lies below a path that is a file");
  }
  return {};
}

std::expected<void, std::string> BundlePaths::add_file(const std::string& path) {
  if (auto parents = add_parents(path); !parents) return parents;
  if (!places_.try_emplace(ascii_lower(path), Place{path, Kind::file}).second) {
    return problem("is there twice (upper and lower case count as the same)");
  }
  return {};
}

std::expected<void, std::string> BundlePaths::add_folder(const std::string& path) {
  if (auto parents = add_parents(path); !parents) return parents;
  const auto [place, is_new] = places_.try_emplace(ascii_lower(path), Place{path, Kind::folder});
  if (!is_new && (place->second.path != path || place->second.kind != Kind::implied_folder)) {
    return problem("is there twice (upper and lower case count as the same)");
  }
  place->second.kind = Kind::folder;
  return {};
}

bool BundlePaths::has_file(const std::string& path) const {
  const auto place = places_.find(ascii_lower(path));
  return place != places_.end() && place->second.path == path && place->second.kind == Kind::file;
}

}  // namespace leger
