#pragma once

// What the deployment code works with, in one hand: references that outlive it, and its times. A value of references.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/service/audit_log.h"
#include "backend/service/deploy_events.h"
#include "backend/service/release_service.h"
#include "backend/service/secret_service.h"
#include "backend/store/deployments.h"
#include "quadlets/generator.h"
#include "quadlets/installer.h"
#include "quadlets/podman.h"
#include "quadlets/policy.h"
#include "systemd/journal.h"
#include "systemd/units.h"

namespace leger {

inline constexpr std::uint64_t kJobTimeoutMs = 300'000;  // one start, stop or restart, an image pull at start included

// What this host lets an app do: the policy's view of the host, and the denials that its operator has lifted.
struct PolicySettings {
  PolicyPlaces host;  // without what is of one app
  std::vector<std::string> allow_dangerous;
};

struct DeployParts {
  Loop& loop;
  const Log& log;
  Deployments& deployments;
  const AuditLog& audit;
  ReleaseService& releases;
  SecretService& secrets;
  Installer& installer;
  Generator& generator;
  Units& units;
  Podman& podman;
  PolicySettings policy;
  std::uint64_t settle_ms;
  std::uint64_t health_timeout_ms;
  std::function<std::vector<std::string>(const JournalQuery&)> read_journal = {};  // in the pool; empty: no lines
  DeployEvents* events = nullptr;  // the Deployer's own; null where nobody watches
};

}  // namespace leger
