#include "quadlets/policy_units.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

std::string without_ending(const std::string& name) { return name.substr(0, name.rfind('.')); }

std::map<char, std::string> specifiers(const std::string& name, const PolicyPlaces& places) {
  const std::string stem = without_ending(name);
  const std::size_t at = stem.find('@');
  const std::string prefix = stem.substr(0, at);
  std::map<char, std::string> known = {
      {'n', name},
      {'N', stem},
      {'p', prefix},
      {'P', unescape_unit_name(prefix)},
      {'j', prefix.substr(prefix.rfind('-') + 1)},
      {'J', unescape_unit_name(prefix.substr(prefix.rfind('-') + 1))},
      {'h', places.home},
      {'t', places.runtime_dir},
      {'u', places.user},
      {'U', places.uid},
      {'G', places.gid},
      {'E', places.config_home},
      {'S', places.state_home},
      {'C', places.cache_home},
      {'D', places.data_home},
      {'L', places.state_home + "/log"},
      {'T', "/tmp"},
      {'V', "/var/tmp"},
      {'y', places.runtime_dir + "/systemd/generator/" + name},
      {'Y', places.runtime_dir + "/systemd/generator"},
      {'d', places.runtime_dir + "/credentials/" + name},
  };
  const std::string instance = at == std::string::npos ? "" : stem.substr(at + 1);
  // A template's instance is named by whoever starts it.
  if (at == std::string::npos || !instance.empty()) {
    known['i'] = instance;
    known['I'] = unescape_unit_name(instance);
    known['f'] = "/" + unescape_unit_name(at == std::string::npos ? prefix : instance);
  }
  return known;
}

bool sets_environment(const std::vector<UnitEntry>& entries) {
  return std::ranges::any_of(entries, [](const UnitEntry& entry) {
    const bool is_generators = entry.key == "Environment" && entry.value == "PODMAN_SYSTEMD_UNIT=%n";
    return entry.section == "Service" && entry.key.contains("Environment") && !is_generators;
  });
}

// What every user service has; nothing where the unit itself may have changed it.
std::map<std::string, std::string, std::less<>> variables(const std::vector<UnitEntry>& entries,
                                                          const PolicyPlaces& places) {
  if (sets_environment(entries)) return {};
  return {{"HOME", places.home}, {"XDG_RUNTIME_DIR", places.runtime_dir}};
}

void add_value_of(std::set<std::string>& names, const PodmanLine& line, std::string_view option) {
  for (const GivenOption& given : line.options) {
    if (given.option != nullptr && given.option->name == option) names.insert(given.value);
  }
}

void add_last(std::set<std::string>& names, const PodmanLine& line) {
  if (!line.words.empty()) names.insert(line.words.back());
}

void add_names(PolicyNames& names, const PodmanCall& call) {
  if (const auto run = words_behind(call, "run")) {
    add_value_of(names.containers, read_podman_line(kRun, *run, Order::options_first), "name");
  } else if (const auto pod = words_behind(call, "pod create")) {
    const PodmanLine line = read_podman_line(kPodCreate, *pod, Order::mixed);
    add_value_of(names.pods, line, "name");
    if (!line.words.empty()) names.pods.insert(line.words.front());
  } else if (const auto network = words_behind(call, "network create")) {
    add_last(names.networks, read_podman_line(kNetworkCreate, *network, Order::mixed));
  } else if (const auto volume = words_behind(call, "volume create")) {
    add_last(names.volumes, read_podman_line(kVolumeCreate, *volume, Order::mixed));
  } else if (const auto pull = words_behind(call, "image pull")) {
    add_last(names.images, read_podman_line(kImagePull, *pull, Order::mixed));
  } else if (const auto build = words_behind(call, "build")) {
    add_value_of(names.images, read_podman_line(kBuild, *build, Order::mixed), "tag");
  }
}

}  // namespace

ExpandedUnit expand_unit(const GeneratedUnit& unit, const PolicyPlaces& places) {
  ExpandedUnit expanded{.name = unit.name, .source = unit.source_path, .entries = read_service_text(unit.text)};
  expanded.kind = unit.source_path.substr(unit.source_path.rfind('.') + 1);
  expanded.generator_entries = parse_unit_file(unit.text);
  const auto known = specifiers(unit.name, places);
  const auto variable = variables(expanded.entries, places);
  for (UnitEntry& entry : expanded.entries) {
    if (entry.section != "Service" || !entry.key.starts_with("Exec") || entry.value.empty()) {
      entry.value = expand_specifiers(entry.value, known);
      continue;
    }
    auto commands = read_commands(entry.value);
    if (!commands) expanded.commands.push_back({.key = entry.key, .is_readable = false});
    for (ServiceCommand& command : commands.value_or(std::vector<ServiceCommand>())) {
      const bool keeps_variables = command.prefix.contains(':');
      for (std::string& word : command.words) {
        word = expand_specifiers(word, known);
        if (!keeps_variables) word = expand_variables(word, variable);
      }
      expanded.commands.push_back(
          {.key = entry.key, .prefix = std::move(command.prefix), .words = std::move(command.words)});
    }
  }
  std::ranges::stable_sort(expanded.commands, {}, &ExpandedCommand::key);
  return expanded;
}

bool is_podman(const ExpandedCommand& command) {
  return !command.words.empty() &&
         (command.words.front() == "/usr/bin/podman" || command.words.front() == "/bin/podman");
}

PodmanCall read_call(const ExpandedCommand& command) {
  const std::vector<std::string> words(command.words.begin() + 1, command.words.end());
  PodmanLine line = read_podman_line(kEveryCommand, words, Order::options_first);
  return {std::move(line.options), std::move(line.words)};
}

std::optional<std::vector<std::string>> words_behind(const PodmanCall& call, std::string_view name) {
  const std::vector<std::string_view> parts = split(name, ' ');
  if (call.words.size() < parts.size() || !std::ranges::equal(parts, std::span(call.words).first(parts.size()))) {
    return std::nullopt;
  }
  return std::vector<std::string>(call.words.begin() + static_cast<std::ptrdiff_t>(parts.size()), call.words.end());
}

PolicyNames names_of(const std::vector<ExpandedUnit>& units) {
  PolicyNames names;
  for (const ExpandedUnit& unit : units) {
    names.units.insert(unit.name);
    for (const ExpandedCommand& command : unit.commands) {
      if (is_podman(command)) add_names(names, read_call(command));
    }
  }
  return names;
}

}  // namespace leger
