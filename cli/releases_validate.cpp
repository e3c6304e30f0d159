#include <string>
#include <utility>

#include "cli/releases_pack.h"
#include "quadlets/folder_check.h"

namespace leger {
namespace {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  std::unreachable();
}

Colour colour_of(Severity severity) {
  if (severity == Severity::note) return Colour::none;
  return severity == Severity::error ? Colour::red : Colour::yellow;
}

Json json_of(const Manifest& manifest) {
  Json services = Json::array();
  for (const ManifestService& service : manifest.services) {
    services.push_back({{"name", service.name}, {"type", service.type}, {"image", service.image}});
  }
  return {{"deployment_name", manifest.deployment_name},
          {"files", manifest.files},
          {"services", std::move(services)},
          {"secrets_required", manifest.secrets_required}};
}

Json json_of(const FolderReport& report) {
  Json findings = Json::array();
  for (const FolderFinding& finding : report.findings) {
    findings.push_back({{"level", name_of(finding.severity)},
                        {"file", finding.file.empty() ? Json() : Json(finding.file)},
                        {"line", finding.line == 0 ? Json() : Json(finding.line)},
                        {"message", sentence_of(finding) + "."}});
  }
  return {{"valid", report.valid()},
          {"findings", std::move(findings)},
          {"manifest", report.manifest ? json_of(*report.manifest) : Json()}};
}

// `1 error`, `2 errors`.
std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list.empty() ? "none" : list;
}

void tell(Output& output, const FolderReport& report) {
  const std::string warnings = counted(report.count(Severity::warning), "warning");
  if (!report.valid()) {
    output.verdict("\n" + counted(report.count(Severity::error), "error") + ", " + warnings, Colour::red);
    return;
  }
  std::vector<std::string> services;
  for (const ManifestService& service : report.manifest->services) services.push_back(service.name);
  output.success(report.manifest->deployment_name + " can be uploaded: " + counted(report.files, "file") + ", " +
                 std::to_string(report.bytes) + " bytes packed, " + warnings);
  output.line("  Services: " + list_of(services));
  output.line("  Secrets: " + list_of(report.manifest->secrets_required));
}

}  // namespace

int validate_release(Output& output, const ValidateOptions& options) {
  const auto report = check_folder(options.folder, {.name = options.name, .limits = {}});
  if (!report) return output.fail(report.error());
  output.data(json_of(*report));
  for (const FolderFinding& finding : report->findings) {
    output.verdict(std::string(name_of(finding.severity)) + ": " + sentence_of(finding) + ".",
                   colour_of(finding.severity));
  }
  tell(output, *report);
  return report->valid() ? kDone : kFailed;
}

}  // namespace leger
