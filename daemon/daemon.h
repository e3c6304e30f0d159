#pragma once

// The whole program, made in order: everything that legerd is has a line here. Made by main, or by a test with a clock
// of its own. Loop thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/http_client.h"
#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "backend/service/accounts.h"
#include "backend/service/audit_log.h"
#include "backend/service/deployer.h"
#include "backend/service/identities.h"
#include "backend/service/key_rotation.h"
#include "backend/service/release_service.h"
#include "backend/service/secret_lookup.h"
#include "backend/service/secret_service.h"
#include "backend/service/service_status.h"
#include "backend/service/session_clock.h"
#include "backend/service/session_service.h"
#include "backend/service/sign_in.h"
#include "backend/service/this_node.h"
#include "backend/service/vault.h"
#include "backend/store/audit.h"
#include "backend/store/database.h"
#include "backend/store/deployments.h"
#include "backend/store/keys.h"
#include "backend/store/releases.h"
#include "backend/store/secrets.h"
#include "backend/store/sessions.h"
#include "backend/store/users.h"
#include "backend/tailscale/control_api.h"
#include "backend/tailscale/local_api.h"
#include "daemon/certificates.h"
#include "daemon/config.h"
#include "daemon/guard.h"
#include "daemon/rate_limits.h"
#include "daemon/route_context.h"
#include "daemon/router.h"
#include "daemon/secret_keeper.h"
#include "daemon/server.h"
#include "daemon/watchdog.h"
#include "quadlets/generator.h"
#include "quadlets/installer.h"
#include "quadlets/podman.h"
#include "systemd/bus.h"
#include "systemd/notify.h"
#include "systemd/systemd_units.h"

namespace leger {

class Daemon {
 public:
  // Opens the store and the vault and finds the owner: what can refuse a start. `issuer` is asked for the certificate
  // where the configuration says `tls = "tailscale"`.
  static Task<Result<std::unique_ptr<Daemon>>> make(Loop& loop, const Log& log, Config config,
                                                    CertificateSource issuer = {});

  // Opens the doors: `handed` ones of the service manager, those of the configuration, or the default ones. Then the
  // service manager is told that we are ready, and interrupted deployments are finished.
  Task<Result<void>> start(std::vector<HandedSocket> handed);

  // Lets requests in flight finish, then closes everything; the daemon can be destroyed afterwards.
  Task<void> stop();

  // What deployments say as they go on; for tests, which have nothing to deploy on.
  DeployEvents& deploy_events() { return deployer_->events(); }

 private:
  Daemon(Loop& loop, const Log& log, Config config, std::unique_ptr<Database> database);
  Task<Result<void>> open_vault();
  Task<Result<void>> find_owner();
  Task<Result<std::string>> certified_name();
  std::string browser_url() const;
  void make_services();
  Result<void> open_doors(std::vector<HandedSocket> handed);
  Result<void> open_door(Result<ListeningSocket> socket);
  Result<void> start_tls(CertificateSource issuer);

  static constexpr std::uint64_t kPodmanTimeoutMs = 10'000;

  Loop& loop_;
  const Log& log_;
  const Config config_;
  const std::string environment_json_;
  std::unique_ptr<Database> database_;
  SqliteUsers users_{*database_};
  SqliteSecrets secrets_{*database_};
  SqliteReleases releases_{*database_};
  Deployments deployments_{*database_};
  SqliteSessions sessions_{*database_};
  KeyStore keys_{*database_};
  AuditStore audit_rows_{*database_};
  Watchdog watchdog_{loop_, log_, *database_};
  HttpClient http_{loop_};
  HttpClient tailnet_http_{loop_};  // of its own, so that a stop need not wait for a certificate
  LocalApi tailscaled_{loop_, tailnet_http_, config_.tailscale.socket};
  std::optional<ControlApi> control_api_;  // where the configuration has a key for it
  ThisNode node_{loop_, tailscaled_};
  SessionClock session_clock_{loop_, sessions_};
  AuditLog audit_{loop_, log_, audit_rows_, session_clock_, config_.audit_days};
  Accounts accounts_{users_, loop_.clock(), node_, {.owner = config_.owner, .operators = config_.operators}};
  RateLimits rate_limits_{loop_.clock(), config_.limits};
  PodmanApi podman_{http_, config_.podman_socket, kPodmanTimeoutMs, secret_keeper(config_)};
  Bus bus_{loop_};
  SystemdUnits units_{loop_, bus_};
  PosixFileSystem files_;
  Installer installer_{files_, config_.quadlet_dir};
  Generator generator_{loop_, ""};
  ReleaseService release_service_{
      loop_, log_, releases_, audit_, {.folder = config_.state_dir + "/releases", .keep = config_.keep_releases}};
  ServiceStatusReader service_status_{deployments_, units_, podman_};
  std::unique_ptr<Vault> vault_;
  std::optional<KeyRotation> key_rotation_;
  std::string tcp_address_;  // of the first TCP door; empty: there is none
  std::optional<Identities> identities_;
  std::optional<SessionService> session_service_;
  std::optional<SignIns> sign_ins_;
  std::optional<SecretService> secret_service_;
  std::optional<SecretLookup> secret_lookup_;
  std::optional<Deployer> deployer_;
  std::optional<RouteContext> context_;
  std::optional<Guard> guard_;
  std::optional<Router> router_;
  std::optional<Certificates> certificates_;  // nothing: TCP is plain
  std::optional<Server> server_;
};

}  // namespace leger
