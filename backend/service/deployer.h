#pragma once

// Deployments: an app goes in whole or not at all, one at a time on a host, and a crash in the middle is finished at
// the next start from the journal. Owned by main; loop thread. Its parts are in deployer.cpp (installing),
// planning.cpp, go_back.cpp, rollback.cpp, removal.cpp, sync.cpp, reconcile.cpp and recovery.cpp.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/generation.h"
#include "backend/service/install_options.h"
#include "backend/service/plan_memory.h"
#include "backend/service/preflight.h"
#include "backend/service/secret_users.h"

namespace leger {

class Deployer {
 public:
  explicit Deployer(DeployParts parts) : parts_(std::move(parts)) { parts_.events = &events_; }
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;

  // Stages and judges the release and gives the contract's plan as JSON text, with all findings; nothing is changed.
  // release_not_found; conflict while a deployment runs or the name is another's.
  Task<Result<std::string>> plan(Actor actor, std::uint64_t version);
  // The version that a plan was made for; conflict where nobody knows it any more.
  Result<std::uint64_t> planned_version(const std::string& user_uuid, const std::string& plan_id) const;

  // Stages and judges the release; when it may be installed, gives the id of the deployment that goes on by itself.
  // release_not_found; conflict while another runs, the name is another's, the plan is out of date or the release is in
  // quarantine; preflight_failed; confirmation_required.
  Task<Result<std::string>> install(Actor actor, std::uint64_t version, InstallOptions options = {});

  // Back to the release, secrets and images that the app ran with before; the same gates as of an install.
  // deployment_not_found; conflict where there is nothing before, or another deployment runs; preflight_failed.
  Task<Result<std::string>> go_back(Actor actor, std::string name);

  enum class Volumes { keep, remove };
  // Takes the app away; gives the id of the deployment that goes on by itself. deployment_not_found, conflict; what
  // Podman or systemd say where they do not answer, and nothing is touched then.
  Task<Result<std::string>> remove(Actor actor, std::string name, Volumes volumes);

  // Gives the secrets of this account's apps the newest versions, and restarts what uses a changed one; gives the id of
  // the deployment that goes on by itself. conflict while another runs, or where a Podman secret is somebody else's.
  Task<Result<std::string>> sync(Actor actor);

  Result<std::vector<Deployment>> list(const DeploymentQuery& query) { return parts_.deployments.list(query); }
  Result<std::uint64_t> count(const std::string& name) { return parts_.deployments.count(name); }
  Result<Deployment> get(const std::string& id) { return parts_.deployments.get(id); }

  // What deployments say as they go on.
  DeployEvents& events() { return events_; }

  // Finishes what a crash left: an install goes back, a removal goes on, a rollback that failed is tried again. Until
  // it has ended, install and remove answer `unavailable`. Folders of staging that belong to nothing are removed, and
  // Podman gets the secrets that it should have; where it does not answer it is asked again later, until stop().
  Task<void> recover();
  void stop();

 private:
  // Why no deployment may start now; the flag that says one does.
  enum class Busy { no, recovering, deploying };

  // `busy_` for the length of a scope.
  struct Hold {
    Hold(Deployer& owner, Busy why) : deployer(owner) { deployer.busy_ = why; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() {
      if (!kept) deployer.busy_ = Busy::no;
    }
    Deployer& deployer;
    bool kept = false;  // another scope holds on
  };

  // What a rollback has to start anew: before the first restart only what was stopped, else all that was to restart.
  enum class Restarts { none_yet, perhaps };

  Result<void> check_free() const;
  // Runs the rest of a deployment by itself, and takes over `hold`.
  void launch(Task<void> task, Hold& hold);
  Task<void> hold_during(Task<void> task);
  Task<Result<void>> set_state(Deployment& row, std::string state);
  Task<void> finish(Deployment row, std::string state);
  void tell_state(const Deployment& row);
  void report(const Deployment& row) const;
  AuditRecord audit_of(const Deployment& row, const Actor& actor, std::string outcome) const;
  Task<Result<void>> end(Deployment& row, std::string state, std::vector<SecretMove> moves = {});
  Task<void> drop_staging(std::string id);
  // Removes every staging folder that neither a live app nor an unfinished rollback needs.
  Task<void> sweep_staging();
  bool is_needed(const std::string& staging_id);
  // Removes from Podman what the generation before the live one of this id had and that one has no more: networks, and
  // secrets that no other app uses. A rollback makes them again. What it has done once it does not do again.
  Task<void> drop_leftovers(std::string id);
  Task<Result<void>> drop_networks(Deployment live, std::vector<std::string> networks);

  struct Planning;
  Task<Result<Prepared>> look_ahead(std::string user_uuid, std::string staging_id, Release release);
  Result<void> check_quarantine(const Release& release, Retry retry);

  Task<Result<std::string>> start_install(Actor actor, Release release, InstallOptions options);
  Result<void> check_owner(const std::string& user_uuid, const std::string& name,
                           const std::optional<Deployment>& live);
  // `damaged` is the error's code for a bundle that is not the one that was uploaded.
  Task<Result<Manifest>> stage(std::string id, Release release, Code damaged);
  Task<Result<Prepared>> stage_and_judge(Deployment& row, Release release, std::optional<Deployment> live,
                                         InstallOptions options);
  Task<Result<Prepared>> stage_and_pin(Deployment& row, Release release, Deployment live, Deployment kept);
  Result<Deployment> check_live(const std::string& user_uuid, const std::string& name);
  Task<Result<void>> bring(Deployment& row, Prepared& prepared);
  Task<void> give_up_bringing(Deployment row, Error why);
  Task<void> sweep_images();

  Task<void> run_install(Deployment row, Prepared prepared);
  Task<Result<void>> apply(Deployment& row, const Prepared& prepared);
  Task<Result<void>> start_and_check(Deployment& row, const Prepared& prepared);
  Task<Result<void>> switch_over(const Deployment& row, const Prepared& prepared);
  Task<Result<void>> commit(Deployment& row, const Prepared& prepared);

  Task<void> roll_back(Deployment row, Error why, Restarts restarts);
  Task<Result<void>> undo(const Deployment& row, Restarts restarts);
  bool is_switched(const Deployment& row, const Generation& staged) const;
  Task<Result<void>> stop_additions(std::string app, const Generation& staged, const std::optional<Generation>& before);
  Task<Result<void>> undo_additions(const Deployment& row, const Generation& staged,
                                    const std::optional<Generation>& before);
  Task<Result<void>> remove_additions(std::string app, const Generation& staged,
                                      const std::optional<Generation>& before);

  Task<Result<Generation>> check_removable(std::string user_uuid, std::string name);
  Task<void> run_remove(Deployment row);
  Task<Result<void>> take_away(const Deployment& row, const Generation& generation);
  Task<Result<void>> put_back(const Deployment& row, const Generation& generation);
  Task<Result<void>> clean_up(const Deployment& row, const Generation& generation);

  Result<std::map<std::string, std::uint64_t>> newest_secrets(const std::string& user_uuid);
  Task<Result<SecretUsers>> judge_sync(std::string user_uuid, std::map<std::string, std::uint64_t> wanted);
  Task<void> run_sync(Deployment row, SecretUsers users);
  Task<Result<void>> apply_sync(Deployment& row, std::map<std::string, std::uint64_t> wanted,
                                std::vector<std::string> units);
  Task<void> roll_back_sync(Deployment row, Error why, Restarts restarts);

  Task<Result<void>> reconcile_secrets();
  // Begins reconcile_later(), unless it is under way.
  void look_later();
  Task<void> reconcile_later();

  bool is_half_back(const Deployment& row) const;
  Task<Result<void>> settle_failed(std::string name);
  Task<void> recover_one(Deployment row);

  DeployEvents events_;
  DeployParts parts_;
  Busy busy_ = Busy::no;
  std::string running_id_;
  PlanMemory plans_;
  std::set<std::string> planning_;  // staging folders of plans that are being made
  bool secrets_are_wrong_ = false;  // a rollback could not put them back
  bool looks_later_ = false;
  bool stopped_ = false;
  OneShot<bool> wake_{parts_.loop};
};

// The failure report of a deployment's row.
std::string report_json(const Error& error);

}  // namespace leger
