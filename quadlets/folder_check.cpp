#include "quadlets/folder_check.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <tuple>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/bundle_paths.h"
#include "quadlets/bundle_writer.h"
#include "quadlets/folder_units.h"

namespace leger {
namespace {

// Keys without which the generator makes no unit, in the words of podman-systemd.unit(5).
struct NeededKey {
  std::string_view type;
  std::string_view key;
  std::string_view or_key;  // empty: no other will do
};
constexpr std::array<NeededKey, 6> kNeeded = {{{"container", "Image", "Rootfs"},
                                               {"kube", "Yaml", ""},
                                               {"image", "Image", ""},
                                               {"build", "ImageTag", ""},
                                               {"build", "File", "SetWorkingDirectory"},
                                               {"artifact", "Artifact", ""}}};

class Check {
 public:
  explicit Check(const PreparedFolder& folder) : folder_(folder), units_(units_of(folder.files)) {}

  FolderFindings run() {
    for (const auto& [path, text] : folder_.files) check_file(path, text);
    for (const FolderUnit& unit : units_) check_unit(unit);
    check_names();
    if (folder_.manifest && folder_.origin == ManifestOrigin::given) check_against_manifest();
    for (const std::string& path : folder_.skipped) say(Severity::note, path, 0, "is hidden and left out");
    return std::move(findings_);
  }

 private:
  void say(Severity severity, std::string file, std::size_t line, std::string why) {
    findings_.push_back({severity, std::move(file), line, std::move(why), Code::invalid_bundle});
  }

  void check_file(const std::string& path, const std::string& text) {
    const std::string changed = dropin_unit(path);
    if (changed.empty() && !is_quadlet(path)) return;
    if (text.contains('\0')) say(Severity::error, path, 0, "has a zero byte in it");
    for (UnitProblem& problem : unit_file_problems(text))
      say(Severity::error, path, problem.line, std::move(problem.why));
    if (!changed.empty() && !changed.contains('.')) {
      say(Severity::error, path, 0,
          "would change every " + changed + " of the host; a drop-in is for one unit of the folder");
    } else if (!changed.empty() && !has_unit(changed)) {
      say(Severity::error, path, 0, "is a drop-in for \"" + changed + "\", which is not in the folder");
    }
  }

  // An instance `app@1.container` is made from `app@.container`.
  bool has_unit(std::string_view name) const {
    const std::size_t at = name.find('@');
    const std::size_t dot = name.rfind('.');
    std::string of_template(name);
    if (at != std::string_view::npos && at < dot) of_template.erase(at + 1, dot - at - 1);
    return std::ranges::any_of(units_, [&](const FolderUnit& unit) {
      return file_name(unit.path) == name || file_name(unit.path) == of_template;
    });
  }

  void check_unit(const FolderUnit& unit) {
    for (const NeededKey& needed : kNeeded) {
      if (needed.type != unit.type || unit.find(needed.key) != nullptr) continue;
      if (needed.or_key.empty()) {
        say(Severity::error, unit.path, 0, "has no " + std::string(needed.key) + "= in [" + unit.section + "]");
      } else if (unit.find(needed.or_key) == nullptr) {
        say(Severity::error, unit.path, 0,
            "has neither " + std::string(needed.key) + "= nor " + std::string(needed.or_key) + "= in [" + unit.section +
                "]");
      }
    }
    if (unit.type == "container" && unit.find("Image") != nullptr && unit.find("Rootfs") != nullptr) {
      const PlacedEntry& rootfs = *unit.find("Rootfs");
      say(Severity::error, rootfs.file, rootfs.entry.line, "has Rootfs= beside Image=; only one can be");
    }
    if (unit.type == "container" || unit.type == "image") check_image(unit);
    for (const PlacedEntry& placed : unit.entries) {
      if (placed.entry.section == unit.section) check_reference(placed);
    }
  }

  void check_image(const FolderUnit& unit) {
    const PlacedEntry* image = unit.find("Image");
    if (image == nullptr || is_full_image(image->entry.value)) return;
    say(Severity::warning, image->file, image->entry.line,
        "names the image \"" + shown(image->entry.value) +
            "\" without its registry, which Podman may look for in several");
  }

  // Whether a registry is named; also of what is no name of an image in a registry.
  static bool is_full_image(std::string_view image) {
    constexpr std::array<std::string_view, 5> kElsewhere = {"docker-archive:", "oci-archive:", "oci:", "dir:", "/"};
    const bool is_id = image.size() == 64 && image.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (is_id || is_quadlet(image) || image.contains('%') || image.contains("://")) return true;
    if (std::ranges::any_of(kElsewhere, [image](std::string_view begin) { return image.starts_with(begin); })) {
      return true;
    }
    const std::size_t slash = image.find('/');
    const std::string_view first = image.substr(0, slash);
    return slash != std::string_view::npos && (first == "localhost" || first.contains('.') || first.contains(':'));
  }

  // `Image=x.image`, `Volume=x.volume:/data`, `Network=x.network`, `Pod=x.pod`: another quadlet that must be there.
  void check_reference(const PlacedEntry& placed) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kReferences = {
        {{"Image", ".image"}, {"Image", ".build"}, {"Volume", ".volume"}, {"Network", ".network"}, {"Pod", ".pod"}}};
    const std::string_view value(placed.entry.value);
    const std::string name(value.substr(0, value.find(':')));
    for (const auto& [key, ending] : kReferences) {
      if (placed.entry.key != key || !name.ends_with(ending) || name.contains('/') || has_unit(name)) continue;
      say(Severity::warning, placed.file, placed.entry.line,
          "needs \"" + shown(name) + "\", which is not in the folder");
    }
  }

  // Two units of one name in two folders: the generator takes the first that it finds.
  void check_names() {
    std::map<std::string_view, const std::string*> seen;
    for (const FolderUnit& unit : units_) {
      const auto [first, is_new] = seen.try_emplace(file_name(unit.path), &unit.path);
      if (!is_new) say(Severity::error, unit.path, 0, "has the same name as \"" + *first->second + "\"");
    }
  }

  void check_against_manifest() {
    const auto& listed = folder_.manifest->secrets_required;
    for (const FolderUnit& unit : units_) {
      for (const std::string& name : unit.secrets()) {
        if (std::ranges::find(listed, name) != listed.end()) continue;
        say(Severity::note, unit.path, 0,
            "uses the secret \"" + shown(name) + "\", which \"secrets_required\" of manifest.json does not list");
      }
    }
    if (units_.empty()) say(Severity::warning, "", 0, "holds no quadlet: nothing of it would run");
  }

  const PreparedFolder& folder_;
  std::vector<FolderUnit> units_;
  FolderFindings findings_;
};

// What only the whole bundle shows: its sizes.
std::expected<std::size_t, FolderFinding> packed_size(const FolderFiles& files, const BundleLimits& limits) {
  const auto bytes = write_bundle(files, limits);
  if (bytes) return bytes->size();
  constexpr std::string_view kBegin = "The folder ";
  std::string why = bytes.error().message;
  if (why.starts_with(kBegin)) why.erase(0, kBegin.size());
  if (why.ends_with('.')) why.pop_back();
  return std::unexpected(FolderFinding{Severity::error, "", 0, std::move(why), bytes.error().code});
}

}  // namespace

std::size_t FolderReport::count(Severity severity) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      findings, [severity](const FolderFinding& finding) { return finding.severity == severity; }));
}

Result<FolderReport> check_folder(const std::string& folder, const PackOptions& options) {
  auto prepared = prepare_folder(folder, options);
  if (!prepared) return Fail(prepared.error());
  FolderReport report;
  report.findings = Check(*prepared).run();
  report.findings.insert(report.findings.end(), prepared->problems.begin(), prepared->problems.end());
  report.files = prepared->files.size();
  if (prepared->problems.empty()) {
    const auto size = packed_size(prepared->files, options.limits);
    if (size) report.bytes = *size;
    if (!size) report.findings.push_back(size.error());
  }
  report.manifest = std::move(prepared->manifest);
  std::ranges::stable_sort(report.findings, {}, [](const FolderFinding& finding) {
    return std::tuple(finding.severity, std::string_view(finding.file), finding.line);
  });
  return report;
}

}  // namespace leger
