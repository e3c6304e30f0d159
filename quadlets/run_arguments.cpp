#include "quadlets/run_arguments.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/unit_file.h"

namespace leger {
namespace {

// The values of an option, given as `--option value`, `--option=value` or `-o value`, in all of the unit's commands;
// what follows the image is the container's own command.
std::vector<std::string> values_of(std::string_view unit_text, std::string_view image,
                                   const std::vector<std::string_view>& spellings) {
  std::vector<std::string> values;
  for (const UnitEntry& entry : parse_unit_file(unit_text)) {
    if (entry.section != "Service" || !entry.key.starts_with("Exec")) continue;
    const auto words = split_words(entry.value);
    for (std::size_t i = 0; i < words.size() && (image.empty() || words[i] != image); ++i) {
      for (const std::string_view option : spellings) {
        if (words[i] == option && i + 1 < words.size()) values.push_back(words[i + 1]);
        if (words[i].starts_with(std::string(option) + "=")) values.push_back(words[i].substr(option.size() + 1));
      }
    }
  }
  return values;
}

std::optional<std::pair<std::uint16_t, std::uint16_t>> port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first || *last > 65'535) return std::nullopt;
  return std::pair(static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last));
}

// [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL], as podman-run(1) has it.
std::optional<HostPorts> read_ports(std::string_view value) {
  HostPorts ports{.address = "0.0.0.0", .protocol = "tcp"};
  const std::size_t slash = value.find('/');
  if (slash != std::string_view::npos) ports.protocol = ascii_lower(value.substr(slash + 1));
  value = value.substr(0, slash);
  const std::size_t before_container = value.rfind(':');
  if (before_container == std::string_view::npos) return std::nullopt;
  value = value.substr(0, before_container);
  const std::size_t before_host = value.rfind(':');
  if (before_host != std::string_view::npos) {
    std::string_view address = value.substr(0, before_host);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    if (!address.empty()) ports.address = address;
    value = value.substr(before_host + 1);
  }
  const auto range = port_range(value);
  if (!range) return std::nullopt;
  ports.first = range->first;
  ports.last = range->second;
  return ports;
}

// The volume's name where `-v SOURCE:…` or `--mount type=volume,source=…` mounts one.
std::string volume_of_bind(const std::string& value) {
  const std::size_t colon = value.find(':');
  if (colon == std::string::npos || colon == 0) return {};
  constexpr std::string_view kPath = "/.~%";
  return kPath.contains(value.front()) ? std::string() : value.substr(0, colon);
}

std::string volume_of_mount(const std::string& value) {
  std::string source;
  bool is_volume = false;
  for (const std::string_view part : split(value, ',')) {
    is_volume = is_volume || part == "type=volume";
    for (const std::string_view key : {"source=", "src="}) {
      if (part.starts_with(key)) source = part.substr(key.size());
    }
  }
  return is_volume ? source : std::string();
}

}  // namespace

std::string HostPorts::text() const {
  const std::string host = address.contains(':') ? "[" + address + "]" : address;
  std::string text = host + ":" + std::to_string(first);
  if (last != first) text += "-" + std::to_string(last);
  return text + "/" + protocol;
}

std::vector<HostPorts> published_ports(std::string_view unit_text, std::string_view image) {
  std::vector<HostPorts> all;
  for (const std::string& value : values_of(unit_text, image, {"--publish", "-p"})) {
    auto ports = read_ports(value);
    if (ports && !std::ranges::contains(all, *ports)) all.push_back(*std::move(ports));
  }
  return all;
}

std::vector<std::string> mounted_volumes(std::string_view unit_text, std::string_view image) {
  std::vector<std::string> volumes;
  const auto add = [&volumes](std::string name) {
    if (!name.empty() && !std::ranges::contains(volumes, name)) volumes.push_back(std::move(name));
  };
  for (const std::string& value : values_of(unit_text, image, {"--volume", "-v"})) add(volume_of_bind(value));
  for (const std::string& value : values_of(unit_text, image, {"--mount"})) add(volume_of_mount(value));
  return volumes;
}

std::vector<std::string> asked_secrets(std::string_view unit_text, std::string_view image) {
  std::vector<std::string> names;
  for (const std::string& value : values_of(unit_text, image, {"--secret"})) {
    std::string_view name;
    for (const std::string_view field : split(value, ',')) {
      const std::size_t equals = field.find('=');
      const std::string_view key = field.substr(0, equals);
      if (equals == std::string_view::npos && name.empty()) name = field;
      if (equals != std::string_view::npos && (key == "source" || key == "src")) name = field.substr(equals + 1);
    }
    if (!name.empty() && !std::ranges::contains(names, name)) names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> named_units(std::string_view unit_text, const std::vector<std::string_view>& keys) {
  std::vector<std::string> units;
  for (const UnitEntry& entry : parse_unit_file(unit_text)) {
    if (entry.section != "Unit" || !std::ranges::contains(keys, entry.key)) continue;
    for (std::string& unit : split_words(entry.value)) units.push_back(std::move(unit));
  }
  return units;
}

}  // namespace leger
