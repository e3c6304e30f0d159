#include "backend/service/preflight.h"

#include <algorithm>
#include <filesystem>
#include <format>
#include <iterator>
#include <set>
#include <utility>

#include "backend/base/offload.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/foreign_secrets.h"
#include "backend/service/found_objects.h"
#include "backend/service/host_checks.h"
#include "backend/service/images.h"
#include "backend/service/policy_check.h"
#include "backend/service/shadow_folder.h"
#include "quadlets/image_names.h"

namespace leger {
namespace {

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
    if (!taken.contains(unit.name) && !taken.contains(unit.file())) continue;
    deny(findings, "unit-taken", unit.source,
         unit.source + " makes " + unit.name + ", and there is such a unit already");
  }
}

// The staging folder has another name each time: a finding of the same release reads the same.
std::string without(std::string text, const std::string& part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
  return text;
}

// Quadlets that the generator made nothing of, with what it said.
void find_refused(const std::vector<std::string>& missing, const DryRun& staged_run, const std::string& staging,
                  std::vector<Finding>& findings) {
  for (const std::string& file : missing) {
    std::string said;
    for (const std::string& problem : staged_run.problems) {
      if (problem.contains(file)) said += ": " + without(problem, staging + "/");
    }
    if (said.empty() && file.ends_with(".artifact")) {
      deny(findings, "unsupported", file, file + " is of a kind that this host's Podman does not know");
    } else {
      deny(findings, "no-unit", file, std::format("{} was refused by Podman's generator{}", file, said));
    }
  }
}

// What the policy says, parted into what forbids the install and what somebody has to accept.
void sort_policy(std::vector<PolicyFinding> said, std::vector<Finding>& denied, std::vector<Finding>& flags) {
  for (PolicyFinding& finding : said) {
    const bool is_denied = finding.level == PolicyLevel::denied;
    (is_denied ? denied : flags)
        .push_back({.id = std::move(finding.id),
                    .level = is_denied ? "denied" : "flagged",
                    .file = std::move(finding.file),
                    .message = std::move(finding.message)});
  }
}

// A template is started as one of its instances, and only DefaultInstance= says which.
void find_templates(const Generation& staged, std::vector<Finding>& findings) {
  for (const AppUnit& unit : staged.units) {
    if (!unit.name.contains("@.")) continue;
    deny(findings, "no-instance", unit.source,
         unit.source + " is a template that nothing would run of; add DefaultInstance= to its [Install]");
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
  std::vector<PodmanContainer> containers;
  std::vector<std::string> unit_files;
  HostState host;
};

// How the services of what is live are, and which images there are of those that the new one names.
Task<Result<HostState>> ask_host(DeployParts& parts, std::string live_folder, const BothGenerations& both) {
  HostState host;
  const auto images = co_await parts.podman.images();
  if (!images) co_return Fail(images.error());
  for (const AppUnit& unit : both.staged.units) {
    if (is_image_reference(unit.image)) host.image_ids[unit.image] = image_id(*images, unit.image);
  }
  if (!both.live) co_return host;
  for (const AppUnit& unit : both.live->units) {
    if (!unit.is_service()) continue;
    const auto state = co_await parts.units.state(unit.name);
    if (!state) co_return Fail(state.error());
    host.unit_states[unit.name] = has_ended_well(*state) ? "active" : state->active_state;
  }
  auto instances = co_await running_instances(parts, live_folder, *both.live);
  if (!instances) co_return Fail(instances.error());
  host.instances = *std::move(instances);
  co_return host;
}

// What the generator makes of the staged folder where it stands in the place of the live one.
Task<Result<DryRun>> run_staged(DeployParts& parts, std::string staging, std::string live_folder, App app) {
  // Beside the staged folder, which is exchanged whole; a crash leaves it to the next sweep.
  const std::string shadow = staging + ".shadow";
  if (app == App::is_live) {
    auto made = co_await offload(parts.loop, [&] { return make_shadow(staging, live_folder, shadow); });
    if (!made) co_return Fail(made.error());
  }
  // The staged folder first: of two quadlets with one name the generator takes the first.
  std::vector<std::string> folders{staging, shadow, parts.installer.quadlet_dir()};
  if (app == App::is_new) folders.erase(folders.begin() + 1);
  auto run = co_await parts.generator.dry_run(std::move(folders));
  co_await offload(parts.loop, [&shadow] {
    std::error_code ignored;
    return std::filesystem::remove_all(shadow, ignored);
  });
  co_return run;
}

Task<Result<Answers>> ask(DeployParts& parts, std::string staging, std::string live_folder, App app) {
  Answers answers;
  auto staged_run = co_await run_staged(parts, staging, live_folder, app);
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
  auto containers = co_await parts.podman.containers();
  if (!containers) co_return Fail(containers.error());
  answers.containers = std::move(*containers);
  auto unit_files = co_await parts.units.unit_files();
  if (!unit_files) co_return Fail(unit_files.error());
  answers.unit_files = std::move(*unit_files);
  auto host = co_await ask_host(parts, live_folder, answers.both);
  if (!host) co_return Fail(host.error());
  answers.host = std::move(*host);
  co_return answers;
}

// What the journal of the live deployment knows and its folder does not tell; gives the names of its units.
Result<std::set<std::string>> add_recorded(const std::optional<Deployment>& live, std::optional<Generation>& before) {
  std::set<std::string> own;
  if (!live) return own;
  const auto recorded = generation_from_json(live->journal);
  if (!recorded) return Fail(recorded.error());
  for (const AppUnit& unit : recorded->units) {
    own.insert({unit.name, unit.file()});
    if (!before) continue;
    const auto same = std::ranges::find(before->units, unit.name, &AppUnit::name);
    if (same != before->units.end()) same->image_id = unit.image_id;
  }
  if (before) before->secrets = recorded->secrets;
  return own;
}

void fill_in_images(Generation& staged, const HostState& host) {
  for (AppUnit& unit : staged.units) {
    const auto found = host.image_ids.find(unit.image);
    if (found != host.image_ids.end()) unit.image_id = found->second;
  }
}

// The secret versions and images of another time instead of those of now.
void pin(Generation& staged, const Generation& made_with) {
  for (const auto& [name, version] : made_with.secrets) staged.secrets[name] = version;
  for (AppUnit& unit : staged.units) {
    const auto same = std::ranges::find(made_with.units, unit.name, &AppUnit::name);
    if (same == made_with.units.end() || same->image_id.empty()) continue;
    unit.image_id = same->image_id;
    unit.image_digest = same->image_digest;
  }
}

Result<std::vector<Finding>> make_notes(DeployParts& parts, const std::string& app, const Answers& answers,
                                        const std::vector<PodmanSecret>& foreign) {
  const Generation& staged = answers.both.staged;
  std::vector<Finding> notes;
  note_kept_objects(answers.both.live, staged, notes);
  note_found_objects(staged, notes);
  for (const PodmanSecret& secret : foreign) {
    note(notes, "foreign-secret", secret.name, foreign_secret(secret).message);
  }
  const auto quarantined = parts.deployments.is_quarantined(app, staged.release_sha256);
  if (!quarantined) return Fail(quarantined.error());
  if (*quarantined) note(notes, "quarantined", "", "This release did not start here: to try it again needs --retry.");
  return notes;
}

// What other apps have to be restarted with this one, since Podman has one secret a name.
Result<SecretUsers> find_others(DeployParts& parts, const std::string& user_uuid, const std::string& app,
                                const Answers& answers, Plan& plan) {
  const auto live = parts.deployments.live();
  if (!live) return Fail(live.error());
  auto others = users_of_change(*live, answers.live_run, parts.installer.quadlet_dir(),
                                {.user_uuid = user_uuid, .except = app, .versions = answers.both.staged.secrets});
  if (!others) return others;
  for (PlannedUnit& unit : planned_units(*others)) {
    plan.restart.push_back(unit.name);
    plan.units.push_back(std::move(unit));
  }
  return others;
}

// The plan, and the generations on their way to the deployment.
Result<void> complete(DeployParts& parts, const std::string& user_uuid, const std::string& app, Prepared& prepared,
                      Answers& answers, const std::optional<Deployment>& live) {
  auto& [staged, before, missing] = answers.both;
  prepared.plan = make_plan(before, staged, parts.installer.live_path(app), answers.host);
  auto others = find_others(parts, user_uuid, app, answers, prepared.plan);
  if (!others) return Fail(others.error());
  prepared.others = *std::move(others);
  const auto findings = prepared.findings();
  prepared.plan_id = plan_id({.release_sha256 = staged.release_sha256,
                              .live_id = live ? live->id : std::string(),
                              .live = before,
                              .staged = staged,
                              .host = answers.host,
                              .findings = findings,
                              .plan = prepared.plan});
  if (before) staged.replaces = live->id;
  for (const auto& [unit, instances] : answers.host.instances) {
    std::ranges::copy_if(instances, std::back_inserter(staged.instances), [&](const std::string& instance) {
      return std::ranges::contains(prepared.plan.stop, instance);
    });
  }
  if (!prepared.plan.switches) staged.folder_identity = before->folder_identity;
  prepared.staged = std::move(staged);
  prepared.live = std::move(before);
  return {};
}

// What the policy says: what it forbids is added to `denied`, what somebody has to accept is given back.
Task<Result<std::vector<Finding>>> judge(DeployParts& parts, std::string app, std::string staging, Answers& answers,
                                         std::vector<Finding>& denied) {
  const PolicyQuestion question{.app = app, .staged_folder = staging, .live_folder = parts.installer.live_path(app)};
  auto said = co_await offload(parts.loop, [&] {
    return ask_policy(parts.policy, question, answers.both.staged, answers.staged_run, answers.live_run);
  });
  if (!said) co_return Fail(said.error());
  std::vector<Finding> flags;
  sort_policy(*std::move(said), denied, flags);
  co_return flags;
}

}  // namespace

std::vector<Finding> Prepared::findings() const {
  std::vector<Finding> all = denied;
  all.insert(all.end(), flags.begin(), flags.end());
  all.insert(all.end(), notes.begin(), notes.end());
  return all;
}

Task<Result<Prepared>> preflight(DeployParts& parts, std::string user_uuid, std::string staging_id, Manifest manifest,
                                 std::string release_sha256, std::optional<Deployment> live,
                                 std::optional<Generation> made_with) {
  const std::string staging = parts.installer.staging_path(staging_id);
  const std::string live_folder = parts.installer.live_path(manifest.deployment_name);
  // An app whose folder somebody took away is installed as a new one.
  const App app = live && parts.installer.is_live(manifest.deployment_name) ? App::is_live : App::is_new;
  auto answers = co_await ask(parts, staging, live_folder, app);
  if (!answers) co_return Fail(answers.error());
  auto& [staged, before, missing] = answers->both;
  staged.release_sha256 = std::move(release_sha256);
  const auto own = add_recorded(live, before);
  if (!own) co_return Fail(own.error());
  std::vector<Finding> findings;
  find_refused(missing, answers->staged_run, staging, findings);
  find_templates(staged, findings);
  find_secrets(parts, user_uuid, wanted_secrets(manifest, staged), staged, findings);
  find_collisions(answers->unit_files, answers->live_run, live_folder, *own, staged, findings);
  const auto tried = co_await offload(parts.loop, [&] {
    find_taken_ports(before, staged, answers->host, findings);
    return find_no_exchange(parts.installer, staging_id, findings);
  });
  if (!tried) co_return Fail(tried.error());
  auto flags = co_await judge(parts, manifest.deployment_name, staging, *answers, findings);
  if (!flags) co_return Fail(flags.error());
  flag_replaced(answers->containers, *own, staged, parts.policy.host, *flags);
  fill_in_images(staged, answers->host);
  find_short_images(staged, answers->host, findings);
  if (made_with) pin(staged, *made_with);
  const auto parted = co_await part_found(parts, user_uuid, manifest.deployment_name, staged);
  if (!parted) co_return Fail(parted.error());
  Prepared prepared{.flags = *std::move(flags), .denied = std::move(findings)};
  prepared.foreign = foreign_secrets(answers->podman_secrets, user_uuid, staged.secrets);
  auto notes = make_notes(parts, manifest.deployment_name, *answers, prepared.foreign);
  if (!notes) co_return Fail(notes.error());
  prepared.notes = std::move(*notes);
  auto completed = complete(parts, user_uuid, manifest.deployment_name, prepared, *answers, live);
  if (!completed) co_return Fail(completed.error());
  co_return prepared;
}

Result<void> check_agreed(const Prepared& prepared, const InstallOptions& options) {
  if (!options.plan_id.empty() && options.plan_id != prepared.plan_id) return Fail(plan_out_of_date());
  if (!prepared.denied.empty()) return Fail(refused_release(prepared.denied));
  if (auto ours = check_foreign(prepared.foreign, options.adopt); !ours) return ours;
  return check_accepted(prepared.flags, options.accept_flags);
}

}  // namespace leger
