#include "backend/service/policy_check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

namespace leger {
namespace {

// What a .kube unit may name; nothing is read where there is none.
Result<std::map<std::string, std::string>> texts_for_kube(const std::string& folder, const Generation& staged) {
  std::map<std::string, std::string> texts;
  const auto is_kube = [](const AppUnit& unit) { return unit.source.ends_with(".kube"); };
  if (std::ranges::none_of(staged.units, is_kube)) return texts;
  for (const auto& [name, hash] : staged.files) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
    if (file.bad() || !file.is_open()) {
      return Fail({Code::internal_error, "cannot read " + path.string() + ".", {}, {}});
    }
    texts.emplace(name, text.str());
  }
  return texts;
}

}  // namespace

Result<std::vector<PolicyFinding>> ask_policy(const PolicySettings& settings, const PolicyQuestion& question,
                                              const Generation& staged, const DryRun& staged_run,
                                              const DryRun& live_run) {
  PolicyPlaces places = settings.host;
  places.app = question.app;
  places.staged_folder = question.staged_folder;
  places.live_folder = question.live_folder;
  auto texts = texts_for_kube(question.staged_folder, staged);
  if (!texts) return Fail(texts.error());
  places.files = std::move(*texts);
  for (const GeneratedUnit& unit : live_run.units) {
    if (!unit.source_path.starts_with(question.live_folder + "/")) places.others.push_back(unit);
  }
  std::vector<GeneratedUnit> units;
  for (const GeneratedUnit& unit : staged_run.units) {
    if (unit.source_path.starts_with(question.staged_folder + "/")) units.push_back(unit);
  }
  std::vector<std::string> files;
  files.reserve(staged.files.size());
  for (const auto& [name, hash] : staged.files) files.push_back(name);
  std::vector<PolicyFinding> findings = judge_dropins(files);
  std::ranges::move(judge_units(units, places), std::back_inserter(findings));
  apply_allowances(findings, question.app, settings.allow_dangerous);
  return findings;
}

}  // namespace leger
