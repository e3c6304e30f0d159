#pragma once

// What a route may use: the services, and what /health says. References that outlive the server.

#include <functional>
#include <string>

#include "backend/base/clock.h"
#include "backend/base/log.h"
#include "backend/service/accounts.h"
#include "backend/service/audit_log.h"
#include "backend/service/deployer.h"
#include "backend/service/identities.h"
#include "backend/service/key_rotation.h"
#include "backend/service/release_service.h"
#include "backend/service/secret_lookup.h"
#include "backend/service/secret_service.h"
#include "backend/service/service_status.h"
#include "backend/service/session_service.h"
#include "backend/service/sign_in.h"

namespace leger {

struct RouteContext {
  const Clock& clock;
  const Log& log;
  const std::string& environment_json;       // as a JSON text, quotes included
  const bool& is_degraded;                   // the store cannot be used
  std::function<std::string()> browser_url;  // where a browser on this host finds legerd; empty without a TCP door
  AuditLog& audit;
  Accounts& accounts;
  Identities& identities;
  SignIns& sign_ins;
  SessionService& sessions;
  SecretService& secrets;
  SecretLookup& secret_lookup;
  ReleaseService& releases;
  Deployer& deployer;
  ServiceStatusReader& services;
  KeyRotation& keys;
};

}  // namespace leger
