#include "quadlets/folder_units.h"

#include <algorithm>
#include <set>
#include <utility>

namespace leger {
namespace {

void append_entries(FolderUnit& unit, const std::string& file, std::string_view text) {
  for (UnitEntry& entry : parse_unit_file(text)) unit.entries.push_back({std::move(entry), file});
}

FolderUnit unit_of(const std::string& path) {
  FolderUnit unit;
  unit.path = path;
  const std::string_view name = file_name(path);
  const std::size_t dot = name.rfind('.');
  unit.name = name.substr(0, dot);
  unit.type = name.substr(dot + 1);
  unit.section = unit.type;
  unit.section.front() = static_cast<char>(unit.section.front() - 'a' + 'A');
  return unit;
}

// The image behind `Image=x.image` or `Image=x.build`, where that unit is there.
std::string resolved_image(const std::string& image, const std::vector<FolderUnit>& units) {
  for (const FolderUnit& unit : units) {
    if (file_name(unit.path) != image) continue;
    std::string named = unit.value(unit.type == "build" ? "ImageTag" : "Image");
    if (!named.empty()) return named;
  }
  return image;
}

}  // namespace

const PlacedEntry* FolderUnit::find(std::string_view key) const {
  const PlacedEntry* found = nullptr;
  for (const PlacedEntry& placed : entries) {
    if (placed.entry.section == section && placed.entry.key == key) found = &placed;
  }
  return found == nullptr || found->entry.value.empty() ? nullptr : found;
}

std::string FolderUnit::value(std::string_view key) const {
  const PlacedEntry* found = find(key);
  return found == nullptr ? std::string() : found->entry.value;
}

std::vector<std::string> FolderUnit::secrets() const {
  if (type != "container") return {};
  std::vector<UnitEntry> plain;
  plain.reserve(entries.size());
  for (const PlacedEntry& placed : entries) plain.push_back(placed.entry);
  return secrets_of_entries(plain);
}

std::vector<FolderUnit> units_of(const FolderFiles& files) {
  std::vector<FolderUnit> units;
  for (const auto& [path, text] : files) {
    if (!is_quadlet(path)) continue;
    FolderUnit unit = unit_of(path);
    append_entries(unit, path, text);
    for (const auto& [other, dropin] : files) {
      if (dropin_unit(other) == file_name(path)) append_entries(unit, other, dropin);
    }
    units.push_back(std::move(unit));
  }
  return units;
}

std::string dropin_unit(std::string_view path) {
  if (!path.ends_with(".conf")) return {};
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  std::string_view folder = file_name(path.substr(0, slash));
  if (!folder.ends_with(".d")) return {};
  folder.remove_suffix(2);
  // `container.d` is one too: it goes for every container of the host.
  return is_quadlet(folder) || is_quadlet("." + std::string(folder)) ? std::string(folder) : std::string();
}

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::vector<ManifestService> services_of(const std::vector<FolderUnit>& units) {
  std::vector<ManifestService> services;
  for (const FolderUnit& unit : units) {
    if (unit.type != "container" && unit.type != "pod" && unit.type != "kube") continue;
    services.push_back({unit.name, unit.type, resolved_image(unit.value("Image"), units)});
  }
  return services;
}

std::vector<std::string> secrets_of(const std::vector<FolderUnit>& units) {
  std::set<std::string> names;
  for (const FolderUnit& unit : units) {
    for (std::string& name : unit.secrets()) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

}  // namespace leger
