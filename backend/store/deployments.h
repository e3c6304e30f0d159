#pragma once

// Deployments of this host: what is under way, what is live, what was. The row of a deployment is also its journal: it
// is written before each step that a crash would leave half done. Loop thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"

namespace leger {

struct Deployment {
  std::string id;
  std::string user_uuid;
  std::string name;           // of the app
  std::uint64_t version = 0;  // of the release
  std::string kind;           // install, rollback, remove, sync
  std::string state;          // as the contract names them
  std::string created_at;
  std::optional<std::string> finished_at;
  std::string plan;     // JSON text; empty before there is one
  std::string error;    // JSON text of the failure report; empty where it did not fail
  std::string journal;  // JSON text for recovery and for what is live; the deployer's own
  bool live = false;    // this is what runs now under `name`
  // It is what was live already, for update(): what can be rolled back to stays what it is. Not read back.
  bool is_repeat = false;
  // Names and versions of the secrets it is made with, for add(); not read back.
  std::map<std::string, std::uint64_t> secrets;
  std::string release_id;  // of the release that must be there still, for add(); empty: none must
};

// A live deployment whose secrets got other versions without being deployed anew.
struct SecretMove {
  std::string deployment_id;
  std::string journal;                           // the new one
  std::map<std::string, std::uint64_t> secrets;  // names of those that changed, and their versions now
};

struct DeploymentQuery {
  std::string name;    // empty: every app
  std::string before;  // id of the oldest one already seen; empty: from the newest
  std::uint32_t limit = 100;
};

class Deployments {
 public:
  explicit Deployments(Database& database) : database_(database) {}

  // Newest first.
  Result<std::vector<Deployment>> list(const DeploymentQuery& query);
  Result<std::uint64_t> count(const std::string& name);
  // deployment_not_found
  Result<Deployment> get(const std::string& id);
  // What runs now, one an app, by name.
  Result<std::vector<Deployment>> live();
  Result<std::optional<Deployment>> live(const std::string& name);
  // Whether the newest install of this bundle for the app that came to a verdict found that it does not run: its
  // journal says so with `"quarantined":true` beside `"release_sha256"`.
  Result<bool> is_quarantined(const std::string& name, const std::string& release_sha256);
  // What the app ran with before, and can be rolled back to.
  Result<std::optional<Deployment>> kept(const std::string& name);
  // Those that run, may come to run, or may be rolled back to.
  Result<std::vector<Deployment>> in_use();
  // Those that have not ended: at most one, but after a crash.
  Result<std::vector<Deployment>> unfinished();

  // conflict, with {"id":"…"} of it in `details`, while another has not ended; release_not_found where the release is
  // gone: from here on it cannot go. `audit` is on record with it.
  Task<Result<void>> add(Deployment deployment, AuditRecord audit);
  // Writes state, plan, error, journal, finished_at and live of the row with that id. Where `live` is set, every other
  // row of the same name loses it in the same transaction, and the one that had it is kept for a rollback, unless this
  // repeats it; a `removed` row takes both from all. `audit`, of the end of a deployment, is on record with it, and
  // `moves` are done with it.
  Task<Result<void>> update(Deployment deployment, std::optional<AuditRecord> audit = std::nullopt,
                            std::vector<SecretMove> moves = {});
  // Whether a live or unfinished deployment of this user was made with this version of a secret.
  Result<bool> runs_with(const std::string& user_uuid, const std::string& secret, std::uint64_t version);

 private:
  Database& database_;
};

}  // namespace leger
