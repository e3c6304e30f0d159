#include "quadlets/packer.h"

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "quadlets/bundle_paths.h"
#include "quadlets/bundle_writer.h"
#include "quadlets/folder_units.h"

namespace leger {
namespace {

constexpr const char* kManifest = "manifest.json";
// legerd numbers and dates releases itself. A number or a time of ours would make the bytes of an unchanged folder
// differ, and with them the release.
constexpr int kNoVersion = 0;
constexpr const char* kNoTime = "1970-01-01T00:00:00Z";

FolderFinding in_manifest(std::string why, Code code = Code::invalid_bundle) {
  return {Severity::error, kManifest, 0, std::move(why), code};
}

FolderFinding in_folder(std::string why) { return {Severity::error, "", 0, std::move(why), Code::invalid_bundle}; }

// An error of parse_manifest, `manifest.json WHY.`, as the end of a sentence.
std::string why_of(const Error& error) {
  std::string_view why = error.message;
  const std::string begin = std::string(kManifest) + " ";
  if (why.starts_with(begin)) why.remove_prefix(begin.size());
  if (why.ends_with('.')) why.remove_suffix(1);
  return std::string(why);
}

std::string own_name(const std::string& folder) {
  std::error_code problem;
  const std::filesystem::path path = std::filesystem::canonical(folder, problem);
  return problem ? std::string() : path.filename().string();
}

// The name of an app whose folder has no manifest; a finding where there is none that fits.
std::expected<std::string, FolderFinding> name_for(const std::string& folder, const std::string& wanted) {
  std::string name = wanted.empty() ? fitted_name(own_name(folder)) : wanted;
  if (is_deployment_name(name)) return name;
  return std::unexpected(in_folder(
      "cannot become an app named \"" + shown(name) +
      "\"; --name gives it another name: 1 to 63 of a-z 0-9 _ -, a letter or digit first, neither digits only "
      "nor \"latest\""));
}

Json made_manifest(const FolderFiles& files, const std::string& name) {
  const std::vector<FolderUnit> units = units_of(files);
  Json services = Json::array();
  for (const ManifestService& service : services_of(units)) {
    Json one{{"name", service.name}, {"type", service.type}};
    if (!service.image.empty()) one["image"] = service.image;
    services.push_back(std::move(one));
  }
  Json paths = Json::array();
  for (const std::string& path : files | std::views::keys) paths.push_back(path);
  return {{"version", kNoVersion}, {"deployment_name", name},         {"created_at", kNoTime},
          {"files", paths},        {"services", std::move(services)}, {"secrets_required", secrets_of(units)}};
}

// A manifest that would be refused must not be made: what is wrong is said of the unit.
FolderFindings secret_problems(const FolderFiles& files) {
  FolderFindings problems;
  for (const FolderUnit& unit : units_of(files)) {
    for (const std::string& name : unit.secrets()) {
      if (is_secret_name(name)) continue;
      problems.push_back({Severity::error, unit.path, 0,
                          "names the secret \"" + shown(name) + "\", which none can have", Code::invalid_bundle});
    }
  }
  return problems;
}

void make_manifest(PreparedFolder& folder, const std::string& path, const PackOptions& options) {
  if (std::ranges::none_of(folder.files | std::views::keys, is_quadlet)) {
    return folder.problems.push_back(in_folder("holds no quadlet (a .container, .pod, .kube, …) and no manifest.json"));
  }
  const auto name = name_for(path, options.name);
  if (!name) return folder.problems.push_back(name.error());
  const FolderFindings problems = secret_problems(folder.files);
  if (!problems.empty()) {
    folder.problems.insert(folder.problems.end(), problems.begin(), problems.end());
    return;
  }
  if (folder.files.size() >= options.limits.entries) {
    return folder.problems.push_back(
        {Severity::error, "", 0,
         "has no room for manifest.json: a bundle has at most " + std::to_string(options.limits.entries) + " files",
         Code::bundle_too_large});
  }
  const std::string text = made_manifest(folder.files, *name).dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
  auto manifest = parse_manifest(text);
  if (!manifest) return folder.problems.push_back(in_manifest("made from the units " + why_of(manifest.error())));
  if (text.size() > options.limits.manifest_bytes) {
    return folder.problems.push_back(in_manifest("would have " + std::to_string(text.size()) + " bytes, more than " +
                                                     std::to_string(options.limits.manifest_bytes),
                                                 Code::bundle_too_large));
  }
  folder.files.emplace(kManifest, text);
  folder.manifest = std::move(*manifest);
}

// As check_bundle judges it, but all at once.
void judge_manifest(PreparedFolder& folder, const PackOptions& options) {
  auto manifest = parse_manifest(folder.files.at(kManifest));
  if (!manifest) return folder.problems.push_back(in_manifest(why_of(manifest.error())));
  const auto& listed = manifest->files;
  for (const std::string& file : listed) {
    if (folder.files.contains(file)) continue;
    folder.problems.push_back(in_manifest("lists \"" + shown(file) + "\", which is not in the folder"));
  }
  for (const std::string& path : folder.files | std::views::keys) {
    if (!is_quadlet(path) || std::ranges::find(listed, path) != listed.end()) continue;
    folder.problems.push_back(in_manifest("does not list \"" + shown(path) + "\", which is a quadlet"));
  }
  if (!options.name.empty() && options.name != manifest->deployment_name) {
    folder.problems.push_back(in_manifest("names the app \"" + manifest->deployment_name + "\", and --name \"" +
                                          shown(options.name) + "\": only one of them can be right"));
  }
  folder.manifest = std::move(*manifest);
}

bool has_manifest_problem(const FolderFindings& problems) {
  return std::ranges::any_of(problems, [](const FolderFinding& problem) { return problem.file == kManifest; });
}

}  // namespace

std::string fitted_name(std::string_view folder_name) {
  constexpr std::size_t kMost = 63;
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  std::string name;
  for (const char c : ascii_lower(folder_name)) {
    const bool fits = is_alnum(c) || c == '_' || c == '-';
    if (name.empty() && !is_alnum(c)) continue;
    if (fits || name.back() != '-') name += fits ? c : '-';
  }
  name.resize(std::min(name.size(), kMost));
  while (name.ends_with('-')) name.pop_back();
  return name;
}

std::string sentence_of(const FolderFinding& finding) {
  if (finding.file.empty()) return "The folder " + finding.why;
  const std::string line = finding.line == 0 ? "" : ", line " + std::to_string(finding.line) + ",";
  return "\"" + finding.file + "\"" + line + " " + finding.why;
}

Result<PreparedFolder> prepare_folder(const std::string& folder, const PackOptions& options) {
  auto contents = read_folder(folder, options.limits);
  if (!contents) return Fail(contents.error());
  PreparedFolder prepared{.files = std::move(contents->files),
                          .skipped = std::move(contents->skipped),
                          .problems = std::move(contents->problems),
                          .origin = ManifestOrigin::made,
                          .manifest = std::nullopt};
  if (prepared.files.contains(kManifest)) prepared.origin = ManifestOrigin::given;
  // Of a part of the folder nothing can be told, and a manifest.json that could not be read is not made anew.
  if (!contents->is_whole || has_manifest_problem(prepared.problems)) return prepared;
  if (prepared.origin == ManifestOrigin::given) {
    judge_manifest(prepared, options);
  } else if (prepared.files.empty() && prepared.problems.empty()) {
    prepared.problems.push_back(in_folder("is empty"));
  } else {
    make_manifest(prepared, folder, options);
  }
  return prepared;
}

Result<PackedFolder> pack_folder(const std::string& folder, const PackOptions& options) {
  auto prepared = prepare_folder(folder, options);
  if (!prepared) return Fail(prepared.error());
  const FolderFindings& problems = prepared->problems;
  if (!problems.empty() || !prepared->manifest) {
    const std::string more = problems.size() == 1 ? "" : " (and " + std::to_string(problems.size() - 1) + " more)";
    return Fail({problems.front().code,
                 sentence_of(problems.front()) + more + ".",
                 "See all that is wrong with it:\n  leger releases validate " + escape_controls(folder),
                 {}});
  }
  auto bytes = write_bundle(prepared->files, options.limits);
  if (!bytes) return Fail(bytes.error());
  return PackedFolder{std::move(*bytes), std::move(*prepared->manifest), prepared->origin,
                      std::move(prepared->skipped)};
}

}  // namespace leger
