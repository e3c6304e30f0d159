#include "backend/service/preflight.h"

#include <algorithm>
#include <format>
#include <set>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"

namespace leger {
namespace {

Error failed(const std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back(
        {{"id", finding.id}, {"level", finding.level}, {"file", finding.file}, {"message", finding.message}});
  }
  std::string message = "This release cannot be installed: " + findings.front().message;
  if (findings.size() > 1) message += " (and " + std::to_string(findings.size() - 1) + " more)";
  return {Code::preflight_failed, std::move(message), "Mend what is listed, then deploy again.", dump(list)};
}

void deny(std::vector<Finding>& findings, std::string rule, std::string file, std::string message) {
  std::string id = rule + ":" + file;
  findings.push_back({.id = std::move(id), .level = "denied", .file = std::move(file), .message = std::move(message)});
}

// Names that the manifest asks for and those that `Secret=` lines name.
std::set<std::string> wanted_secrets(const Manifest& manifest, const Generation& staged) {
  std::set<std::string> names(manifest.secrets_required.begin(), manifest.secrets_required.end());
  for (const AppUnit& unit : staged.units) names.insert(unit.secrets.begin(), unit.secrets.end());
  return names;
}

void find_secrets(DeployParts& parts, const std::string& user_uuid, const std::set<std::string>& names,
                  Generation& staged, std::vector<Finding>& findings) {
  for (const std::string& name : names) {
    const auto secret = parts.secrets.check(user_uuid, name);
    if (secret) {
      staged.secrets.emplace(name, secret->version);
    } else if (secret.error().code == Code::secret_not_found) {
      deny(findings, "missing-secret", name,
           std::format("the secret \"{0}\" is not there; make it with: leger secrets set {0} -", name));
    } else {
      deny(findings, "unreadable-secret", name, secret.error().message);
    }
  }
}

// Podman has one secret a name: one that is not this account's must not be overwritten.
Result<void> check_foreign_secrets(const std::vector<PodmanSecret>& there, const std::string& user_uuid,
                                   const Generation& staged) {
  for (const PodmanSecret& secret : there) {
    if (!staged.secrets.contains(secret.name)) continue;
    const auto user = secret.labels.find("leger.user");
    if (user != secret.labels.end() && user->second == user_uuid) continue;
    return Fail({Code::conflict,
                 "Podman already has a secret \"" + secret.name + "\" that Leger did not make for you.",
                 "Remove it (podman secret rm " + secret.name + ") or use another name.",
                 {}});
  }
  return {};
}

// A generated name may not shadow a unit of somebody else's: of another folder of quadlets, or one that systemd knows
// and that is not in `own`.
void find_collisions(const std::vector<std::string>& unit_files, const DryRun& live_run, const std::string& live_folder,
                     const std::set<std::string>& own, const Generation& staged, std::vector<Finding>& findings) {
  std::set<std::string> taken;
  for (const std::string& unit : unit_files) {
    if (!own.contains(unit)) taken.insert(unit);
  }
  for (const GeneratedUnit& unit : live_run.units) {
    if (!unit.source_path.starts_with(live_folder + "/")) taken.insert(unit.name);
  }
  for (const AppUnit& unit : staged.units) {
    if (!taken.contains(unit.name)) continue;
    deny(findings, "unit-taken", unit.source,
         unit.source + " makes " + unit.name + ", and there is such a unit already");
  }
}

// Quadlets that the generator made nothing of, with what it said.
void find_refused(const std::vector<std::string>& missing, const DryRun& staged_run, std::vector<Finding>& findings) {
  for (const std::string& file : missing) {
    std::string why = file + " was refused by Podman's generator";
    for (const std::string& problem : staged_run.problems) {
      if (problem.contains(file)) why += ": " + problem;
    }
    deny(findings, "no-unit", file, std::move(why));
  }
}

enum class App { is_new, is_live };

struct BothGenerations {
  Generation staged;
  std::optional<Generation> live;
  std::vector<std::string> missing;
};

Result<BothGenerations> read_both(const std::string& staging, const std::string& live_folder, App app,
                                  const DryRun& staged_run, const DryRun& live_run) {
  BothGenerations both;
  auto staged = read_generation(staging, live_folder, staged_run, both.missing);
  if (!staged) return Fail(staged.error());
  both.staged = std::move(*staged);
  if (app == App::is_new) return both;
  std::vector<std::string> ignored;
  auto live = read_generation(live_folder, live_folder, live_run, ignored);
  if (!live) return Fail(live.error());
  both.live = std::move(*live);
  return both;
}

// What has to be asked before anything can be said.
struct Answers {
  BothGenerations both;
  DryRun staged_run;
  DryRun live_run;
  std::vector<PodmanSecret> podman_secrets;
  std::vector<std::string> unit_files;
};

Task<Result<Answers>> ask(DeployParts& parts, std::string staging, std::string live_folder, App app) {
  Answers answers;
  // The staged folder first: of two quadlets with one name the generator takes the first.
  std::vector<std::string> both_folders{staging, parts.installer.quadlet_dir()};
  auto staged_run = co_await parts.generator.dry_run(std::move(both_folders));
  if (!staged_run) co_return Fail(staged_run.error());
  answers.staged_run = std::move(*staged_run);
  std::vector<std::string> live_folders{parts.installer.quadlet_dir()};
  auto live_run = co_await parts.generator.dry_run(std::move(live_folders));
  if (!live_run) co_return Fail(live_run.error());
  answers.live_run = std::move(*live_run);
  auto both = co_await offload(
      parts.loop, [&] { return read_both(staging, live_folder, app, answers.staged_run, answers.live_run); });
  if (!both) co_return Fail(both.error());
  answers.both = std::move(*both);
  auto podman_secrets = co_await parts.podman.secrets();
  if (!podman_secrets) co_return Fail(podman_secrets.error());
  answers.podman_secrets = std::move(*podman_secrets);
  auto unit_files = co_await parts.units.unit_files();
  if (!unit_files) co_return Fail(unit_files.error());
  answers.unit_files = std::move(*unit_files);
  co_return answers;
}

}  // namespace

Task<Result<Prepared>> preflight(DeployParts& parts, std::string user_uuid, std::string staging_id, Manifest manifest,
                                 std::optional<Deployment> live) {
  const std::string live_folder = parts.installer.live_path(manifest.deployment_name);
  // An app whose folder somebody took away is installed as a new one.
  const App app = live && parts.installer.is_live(manifest.deployment_name) ? App::is_live : App::is_new;
  auto answers = co_await ask(parts, parts.installer.staging_path(staging_id), live_folder, app);
  if (!answers) co_return Fail(answers.error());
  auto& [staged, before, missing] = answers->both;
  std::set<std::string> own;
  if (live) {
    const auto recorded = generation_from_json(live->journal);
    if (!recorded) co_return Fail(recorded.error());
    for (const AppUnit& unit : recorded->units) own.insert(unit.name);
    if (before) before->secrets = recorded->secrets;
  }
  std::vector<Finding> findings;
  find_refused(missing, answers->staged_run, findings);
  find_secrets(parts, user_uuid, wanted_secrets(manifest, staged), staged, findings);
  find_collisions(answers->unit_files, answers->live_run, live_folder, own, staged, findings);
  if (!findings.empty()) co_return Fail(failed(findings));
  auto foreign = check_foreign_secrets(answers->podman_secrets, user_uuid, staged);
  if (!foreign) co_return Fail(foreign.error());
  Plan plan = make_plan(before, staged, live_folder);
  if (before) staged.replaces = live->id;
  if (!plan.switches) staged.folder_identity = before->folder_identity;
  co_return Prepared{std::move(staged), std::move(before), std::move(plan)};
}

}  // namespace leger
