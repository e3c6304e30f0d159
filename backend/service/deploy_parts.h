#pragma once

// What the deployment code works with, in one hand: references that outlive it, and its times. A value of references.

#include <cstdint>

#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/service/audit_log.h"
#include "backend/service/release_service.h"
#include "backend/service/secret_service.h"
#include "backend/store/deployments.h"
#include "quadlets/generator.h"
#include "quadlets/installer.h"
#include "quadlets/podman.h"
#include "systemd/units.h"

namespace leger {

inline constexpr std::uint64_t kJobTimeoutMs = 300'000;  // one start, stop or restart, an image pull at start included

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
  std::uint64_t settle_ms;
  std::uint64_t health_timeout_ms;
};

}  // namespace leger
