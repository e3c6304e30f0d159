#include "backend/service/generation.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "backend/crypto/seal.h"
#include "backend/service/unit_ties.h"
#include "quadlets/installer.h"
#include "quadlets/run_arguments.h"
#include "quadlets/unit_file.h"

namespace leger {
namespace {

Result<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Fail({Code::internal_error, "cannot read " + path.string() + ".", {}, {}});
  return text.str();
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// The object that `podman network create` or `podman volume create` makes: the last word of the unit's ExecStart.
std::string created_object(const std::string& unit_text) {
  for (const std::string_view line : split(unit_text, '\n')) {
    if (!line.starts_with("ExecStart=")) continue;
    const auto words = split(line, ' ');
    std::string_view last = words.back();
    if (last.size() >= 2 && last.starts_with('"') && last.ends_with('"')) last = last.substr(1, last.size() - 2);
    return std::string(last);
  }
  return {};
}

std::string value_of(const std::vector<UnitEntry>& entries, std::string_view section, std::string_view key) {
  std::string value;
  for (const UnitEntry& entry : entries) {
    if (entry.section == section && entry.key == key) value = entry.value;
  }
  return value;
}

// What systemd starts of a unit: of a template its default instance. One without stays as it is; nothing of it can
// start.
std::string started_name(const GeneratedUnit& made) {
  const std::size_t at = made.name.find("@.");
  if (at == std::string::npos) return made.name;
  std::string instance;
  for (const UnitEntry& entry : parse_unit_file(made.text)) {
    if (entry.section == "Install" && entry.key == "DefaultInstance") instance = entry.value;
  }
  return made.name.substr(0, at + 1) + instance + made.name.substr(at + 1);
}

Result<std::map<std::string, std::string>> hashes_of(const std::string& folder) {
  std::map<std::string, std::string> hashes;
  std::error_code problem;
  std::filesystem::recursive_directory_iterator entry(folder, problem);
  for (; !problem && entry != std::filesystem::recursive_directory_iterator(); entry.increment(problem)) {
    std::error_code not_there;
    if (!entry->is_regular_file(not_there)) continue;
    auto text = read_text(entry->path());
    if (!text) return Fail(text.error());
    Sha256 hash;
    hash.update(*text);
    hashes.emplace(entry->path().lexically_relative(folder).string(), hash.hex());
  }
  if (problem) return Fail(system_error("cannot read the folder " + folder, problem.value()));
  return hashes;
}

// Image, pull policy and secrets of what the generator made the unit of: the quadlet with its drop-ins, which it keeps
// in a section X-Container or X-Image; the quadlet alone where it keeps none. Secrets may come by other options, too.
void read_merged(const std::string& source, AppUnit& unit) {
  const bool is_image = unit.source.ends_with(".image");
  std::string section = is_image ? "X-Image" : "X-Container";
  auto entries = parse_unit_file(unit.text);
  if (!std::ranges::contains(entries, section, &UnitEntry::section)) {
    section = section.substr(2);
    entries = parse_unit_file(source);
  }
  unit.image = value_of(entries, section, "Image");
  unit.pull = value_of(entries, section, is_image ? "Policy" : "Pull");
  unit.secrets = secrets_of_unit(source);
  for (std::string& name : asked_secrets(unit.text, {})) {
    if (!std::ranges::contains(unit.secrets, name)) unit.secrets.push_back(std::move(name));
  }
}

}  // namespace

bool AppUnit::is_service() const {
  return source.ends_with(".container") || source.ends_with(".pod") || source.ends_with(".kube");
}

bool AppUnit::is_maker() const { return source.ends_with(".build") || source.ends_with(".image"); }

std::string AppUnit::file() const {
  const std::size_t at = name.find('@');
  if (at == std::string::npos || !source.contains("@.")) return name;
  return name.substr(0, at + 1) + name.substr(name.rfind('.'));
}

Result<Generation> read_generation(const std::string& folder, const std::string& live_folder, const DryRun& dry_run,
                                   std::vector<std::string>& missing) {
  Generation generation{.folder_identity = Installer::identity(folder)};
  auto hashes = hashes_of(folder);
  if (!hashes) return Fail(hashes.error());
  generation.files = std::move(*hashes);
  std::set<std::string> without_unit;
  for (const auto& [file, hash] : generation.files) {
    if (is_quadlet(file)) without_unit.insert(file);
  }
  for (const GeneratedUnit& made : dry_run.units) {
    if (!made.source_path.starts_with(folder + "/")) continue;
    AppUnit unit{.name = started_name(made),
                 .source = made.source_path.substr(folder.size() + 1),
                 .text = replace_all(made.text, folder, live_folder)};
    auto source = read_text(made.source_path);
    if (!source) return Fail(source.error());
    without_unit.erase(unit.source);
    read_merged(*source, unit);
    if (unit.source.ends_with(".network")) generation.networks.push_back(created_object(unit.text));
    if (unit.source.ends_with(".volume")) generation.volumes.push_back(created_object(unit.text));
    generation.units.push_back(std::move(unit));
  }
  std::ranges::sort(generation.units, {}, &AppUnit::name);
  find_pods(generation);
  missing.assign(without_unit.begin(), without_unit.end());
  return generation;
}

bool has_file(const Generation& generation, const std::string& file) {
  return std::ranges::any_of(generation.units, [&file](const AppUnit& unit) { return unit.file() == file; });
}

std::string to_json(const Generation& generation) {
  Json units = Json::array();
  for (const AppUnit& unit : generation.units) {
    units.push_back({{"name", unit.name},
                     {"source", unit.source},
                     {"image", unit.image},
                     {"image_id", unit.image_id},
                     {"image_digest", unit.image_digest},
                     {"secrets", unit.secrets},
                     {"pod", unit.pod}});
  }
  return dump({{"units", units},
               {"secrets", generation.secrets},
               {"networks", generation.networks},
               {"volumes", generation.volumes},
               {"found_networks", generation.found_networks},
               {"found_volumes", generation.found_volumes},
               {"instances", generation.instances},
               {"folder_identity", generation.folder_identity},
               {"replaces", generation.replaces},
               {"release_sha256", generation.release_sha256},
               {"quarantined", generation.is_quarantined},
               {"dropped_leftovers", generation.has_dropped_leftovers}});
}

Result<Generation> generation_from_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    Generation generation;
    for (const Json& unit : json.at("units").get<std::vector<Json>>()) {
      generation.units.push_back({.name = unit.at("name").get<std::string>(),
                                  .source = unit.at("source").get<std::string>(),
                                  .image = unit.at("image").get<std::string>(),
                                  .secrets = unit.at("secrets").get<std::vector<std::string>>(),
                                  .pod = unit.value("pod", std::string()),
                                  .text = {},
                                  // Journals of before it was kept lack it, and what is behind it below.
                                  .image_digest = text_field(unit, "image_digest").value_or(""),
                                  .pull = {},
                                  .image_id = text_field(unit, "image_id").value_or("")});
    }
    generation.secrets = json.at("secrets").get<std::map<std::string, std::uint64_t>>();
    generation.networks = json.at("networks").get<std::vector<std::string>>();
    generation.volumes = json.at("volumes").get<std::vector<std::string>>();
    // Older journals have neither these nor what is behind them below.
    generation.found_networks = json.value("found_networks", std::vector<std::string>());
    generation.found_volumes = json.value("found_volumes", std::vector<std::string>());
    generation.instances = json.value("instances", std::vector<std::string>());
    generation.folder_identity = json.at("folder_identity").get<std::uint64_t>();
    generation.replaces = json.at("replaces").get<std::string>();
    generation.release_sha256 = text_field(json, "release_sha256").value_or("");
    generation.is_quarantined = bool_field(json, "quarantined").value_or(false);
    generation.has_dropped_leftovers = bool_field(json, "dropped_leftovers").value_or(false);
    return generation;
  } catch (const Json::exception&) {
    return Fail({Code::internal_error, "The journal of a deployment cannot be read.", {}, {}});
  }
}

}  // namespace leger
