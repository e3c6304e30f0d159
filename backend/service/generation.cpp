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
#include "quadlets/installer.h"
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

std::string value_of(const std::vector<UnitEntry>& entries, std::string_view key) {
  std::string value;
  for (const UnitEntry& entry : entries) {
    if (entry.section == "Container" && entry.key == key) value = entry.value;
  }
  return value;
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

}  // namespace

bool AppUnit::is_service() const {
  return source.ends_with(".container") || source.ends_with(".pod") || source.ends_with(".kube");
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
    AppUnit unit{.name = made.name,
                 .source = made.source_path.substr(folder.size() + 1),
                 .text = replace_all(made.text, folder, live_folder)};
    auto source = read_text(made.source_path);
    if (!source) return Fail(source.error());
    without_unit.erase(unit.source);
    unit.secrets = secrets_of_unit(*source);
    unit.image = value_of(parse_unit_file(*source), "Image");
    if (unit.source.ends_with(".network")) generation.networks.push_back(created_object(unit.text));
    if (unit.source.ends_with(".volume")) generation.volumes.push_back(created_object(unit.text));
    generation.units.push_back(std::move(unit));
  }
  std::ranges::sort(generation.units, {}, &AppUnit::name);
  missing.assign(without_unit.begin(), without_unit.end());
  return generation;
}

std::string to_json(const Generation& generation) {
  Json units = Json::array();
  for (const AppUnit& unit : generation.units) {
    units.push_back({{"name", unit.name}, {"source", unit.source}, {"image", unit.image}, {"secrets", unit.secrets}});
  }
  return dump({{"units", units},
               {"secrets", generation.secrets},
               {"networks", generation.networks},
               {"volumes", generation.volumes},
               {"folder_identity", generation.folder_identity},
               {"replaces", generation.replaces}});
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
                                  .text = {}});
    }
    generation.secrets = json.at("secrets").get<std::map<std::string, std::uint64_t>>();
    generation.networks = json.at("networks").get<std::vector<std::string>>();
    generation.volumes = json.at("volumes").get<std::vector<std::string>>();
    generation.folder_identity = json.at("folder_identity").get<std::uint64_t>();
    generation.replaces = json.at("replaces").get<std::string>();
    return generation;
  } catch (const Json::exception&) {
    return Fail({Code::internal_error, "The journal of a deployment cannot be read.", {}, {}});
  }
}

}  // namespace leger
