#pragma once

// Deployments: an app goes in whole or not at all, one at a time on a host, and a crash in the middle is finished at
// the next start from the journal. Owned by main; loop thread. Its parts are in deployer.cpp (installing),
// rollback.cpp, removal.cpp and recovery.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/service/actor.h"
#include "backend/service/deploy_parts.h"
#include "backend/service/generation.h"
#include "backend/service/preflight.h"

namespace leger {

class Deployer {
 public:
  explicit Deployer(DeployParts parts) : parts_(parts) {}

  // Stages and judges the release; when it may be installed, gives the id of the deployment that goes on by itself.
  // release_not_found, conflict while another runs or the name is another's, preflight_failed.
  Task<Result<std::string>> install(Actor actor, std::uint64_t version);

  enum class Volumes { keep, remove };
  // Takes the app away; gives the id of the deployment that goes on by itself. deployment_not_found, conflict; what
  // Podman or systemd say where they do not answer, and nothing is touched then.
  Task<Result<std::string>> remove(Actor actor, std::string name, Volumes volumes);

  Result<std::vector<Deployment>> list(const DeploymentQuery& query) { return parts_.deployments.list(query); }
  Result<std::uint64_t> count(const std::string& name) { return parts_.deployments.count(name); }
  Result<Deployment> get(const std::string& id) { return parts_.deployments.get(id); }

  // Finishes what a crash left: an install goes back, a removal goes on, a rollback that failed is tried again. Until
  // it has ended, install and remove answer `unavailable`. Folders of staging that belong to nothing are removed.
  Task<void> recover();

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
  void report(const Deployment& row) const;
  AuditRecord audit_of(const Deployment& row, const Actor& actor, std::string outcome) const;
  Task<Result<void>> end(Deployment& row, std::string state);
  Task<void> drop_staging(std::string id);
  // Removes every staging folder that neither a live app nor an unfinished rollback needs.
  Task<void> sweep_staging();
  bool is_needed(const std::string& staging_id);

  Task<Result<std::string>> start_install(Actor actor, Release release);
  Result<void> check_owner(const std::string& user_uuid, const std::string& name,
                           const std::optional<Deployment>& live);
  Task<Result<Manifest>> stage(std::string id, Release release);
  Task<Result<Prepared>> stage_and_judge(Deployment& row, Release release, std::optional<Deployment> live);
  Task<void> run_install(Deployment row, Prepared prepared);
  Task<Result<void>> apply(Deployment& row, const Prepared& prepared);
  Task<Result<void>> switch_over(const Deployment& row, const Prepared& prepared);
  Task<Result<void>> commit(Deployment& row);

  Task<void> roll_back(Deployment row, Error why, Restarts restarts);
  Task<Result<void>> undo(const Deployment& row, Restarts restarts);
  bool is_switched(const Deployment& row, const Generation& staged) const;
  Task<Result<void>> undo_additions(const Deployment& row, const Generation& staged,
                                    const std::optional<Generation>& before);

  Task<Result<Generation>> check_removable(std::string user_uuid, std::string name);
  Task<void> run_remove(Deployment row);
  Task<Result<void>> take_away(const Deployment& row, const Generation& generation);
  Task<Result<void>> put_back(const Deployment& row, const Generation& generation);
  Task<Result<void>> clean_up(const Deployment& row, const Generation& generation);

  bool is_half_back(const Deployment& row) const;
  Task<Result<void>> settle_failed(std::string name);
  Task<void> recover_one(Deployment row);

  DeployParts parts_;
  Busy busy_ = Busy::no;
  std::string running_id_;
};

// The failure report of a deployment's row.
std::string report_json(const Error& error);

}  // namespace leger
