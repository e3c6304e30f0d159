#include "daemon/daemon.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <utility>

#include "backend/base/json.h"
#include "systemd/notify.h"

namespace leger {
namespace {

constexpr std::uint64_t kGraceMs = 10'000;  // for requests in flight at a stop

std::string login_name() {
  const passwd* account = getpwuid(getuid());
  return account == nullptr ? std::to_string(getuid()) : account->pw_name;
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

Daemon::Daemon(Loop& loop, const Log& log, Config config, std::unique_ptr<Database> database)
    : loop_(loop),
      log_(log),
      config_(std::move(config)),
      environment_json_(dump(Json(config_.environment))),
      database_(std::move(database)) {}

Task<Result<std::unique_ptr<Daemon>>> Daemon::make(Loop& loop, const Log& log, Config config) {
  auto database = Database::open(loop, config.state_dir);
  if (!database) co_return Fail(database.error());
  std::unique_ptr<Daemon> daemon(new Daemon(loop, log, std::move(config), std::move(*database)));
  auto prepared = daemon->release_service_.prepare();
  if (!prepared) co_return Fail(prepared.error());
  auto opened = co_await daemon->open_vault();
  if (!opened) co_return Fail(opened.error());
  Accounts accounts(daemon->users_, loop.clock());
  const auto owner = co_await accounts.ensure_owner(login_name(), host_name());
  if (!owner) co_return Fail(owner.error());
  daemon->make_services(*owner);
  co_return daemon;
}

Task<Result<void>> Daemon::open_vault() {
  auto vault = co_await Vault::open(secrets_, {config_.credentials_directory, config_.key_file}, loop_.clock());
  if (!vault) co_return Fail(vault.error());
  vault_ = std::move(*vault);
  co_return Result<void>();
}

void Daemon::make_services(const User& owner) {
  secret_service_.emplace(secrets_, *vault_, loop_.clock(), config_.secret_versions);
  deployer_.emplace(DeployParts{.loop = loop_,
                                .log = log_,
                                .deployments = deployments_,
                                .releases = release_service_,
                                .secrets = *secret_service_,
                                .installer = installer_,
                                .generator = generator_,
                                .units = units_,
                                .podman = podman_,
                                .settle_ms = config_.settle_s * 1000ULL,
                                .health_timeout_ms = config_.health_timeout_s * 1000ULL});
  context_.emplace(RouteContext{.clock = loop_.clock(),
                                .log = log_,
                                .environment_json = environment_json_,
                                .is_degraded = watchdog_.is_degraded(),
                                .secrets = *secret_service_,
                                .releases = release_service_,
                                .deployer = *deployer_,
                                .services = service_status_});
  router_.emplace(routes(), owner.user_uuid);
  server_.emplace(loop_, log_, *router_, *context_, config_.connections);
}

Task<Result<void>> Daemon::start(std::vector<HandedSocket> handed) {
  auto opened = open_doors(std::move(handed));
  if (!opened) co_return opened;
  co_await watchdog_.check();
  loop_.spawn(watchdog_.run(), [this](std::exception_ptr) { log_.error("the self-check failed with an exception"); });
  loop_.spawn(deployer_->recover(), [this](std::exception_ptr) { log_.error("recovery failed with an exception"); });
  notify_ready("serving");
  co_return Result<void>();
}

Result<void> Daemon::open_door(Result<ListeningSocket> socket) {
  if (!socket) return Fail(socket.error());
  auto opened = server_->open_door(*socket);
  if (opened) log_.info("listening", {{"ADDRESS", socket->address}});
  return opened;
}

Result<void> Daemon::open_doors(std::vector<HandedSocket> handed) {
  Result<void> opened;
  for (const HandedSocket& socket : handed) {
    if (!opened) return opened;
    if (socket.is_unix) {
      opened = open_door(ListeningSocket{.fd = socket.fd, .is_unix = true, .address = socket.name});
      continue;
    }
    auto address = check_handed_tcp(socket.fd, config_.insecure);
    if (!address) return Fail(address.error());
    opened = open_door(ListeningSocket{.fd = socket.fd, .is_unix = false, .address = *address});
  }
  // Handed-over sockets replace the defaults; what the configuration names is opened as well.
  const std::string socket = config_.socket.value_or(handed.empty() ? config_.default_socket : "");
  if (opened && !socket.empty()) opened = open_door(bind_unix(socket));
  const std::vector<std::string> defaults{"127.0.0.1:8787"};
  const auto listen = config_.listen.value_or(handed.empty() ? defaults : std::vector<std::string>{});
  for (const std::string& address : listen) {
    if (opened) opened = open_door(bind_tcp(address, config_.insecure));
  }
  return opened;
}

Task<void> Daemon::stop() {
  notify_stopping();
  watchdog_.stop();
  co_await server_->shut_down(kGraceMs);
}

}  // namespace leger
