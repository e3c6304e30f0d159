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

constexpr std::uint64_t kNodeAgeMs = 10'000;
constexpr std::uint64_t kGraceMs = 10'000;  // for requests in flight at a stop

std::string login_name() {
  const passwd* account = getpwuid(getuid());
  return account == nullptr ? std::to_string(getuid()) : account->pw_name;
}

std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/')); }

// What the policy of deployments has to know of this host.
PolicyPlaces policy_host(const Config& config) {
  PolicyPlaces host;
  host.home = config.home;
  host.runtime_dir = config.runtime_dir.empty() ? "/run/user/" + std::to_string(getuid()) : config.runtime_dir;
  host.config_home = config.config_home;
  host.state_home = config.state_home;
  host.cache_home = config.cache_home;
  host.data_home = config.data_home;
  host.user = login_name();
  host.uid = std::to_string(getuid());
  host.gid = std::to_string(getgid());
  host.quadlet_dir = config.quadlet_dir;
  host.leger_places = {config.state_dir,
                       config.key_file,
                       folder_of(config.file),
                       config.config_home + "/leger",
                       config.tls.key_file,
                       config.credentials_directory,
                       config.tailscale.api_key_file,
                       config.socket.value_or("")};
  for (std::string& program : leger_programs(config)) host.leger_places.push_back(std::move(program));
  std::erase_if(host.leger_places, [](const std::string& place) { return !place.starts_with('/'); });
  return host;
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Where a door that is open on every address is found from this host.
std::string reachable(const std::string& address) {
  for (const auto& [any, loopback] : {std::pair<std::string_view, const char*>{"0.0.0.0:", "127.0.0.1:"},
                                      std::pair<std::string_view, const char*>{"[::]:", "[::1]:"}}) {
    if (address.starts_with(any)) return loopback + address.substr(any.size());
  }
  return address;
}

}  // namespace

Daemon::Daemon(Loop& loop, const Log& log, Config config, std::unique_ptr<Database> database)
    : loop_(loop),
      log_(log),
      config_(std::move(config)),
      environment_json_(dump(Json(config_.environment))),
      database_(std::move(database)) {
  if (!config_.tailscale.api_key_file.empty()) {
    control_api_.emplace(tailnet_http_, ControlApiSettings{.url = config_.tailscale.api_url,
                                                           .tailnet = config_.tailscale.tailnet,
                                                           .key_file = config_.tailscale.api_key_file});
  }
}

Task<Result<std::unique_ptr<Daemon>>> Daemon::make(Loop& loop, const Log& log, Config config,
                                                   CertificateSource issuer) {
  if (auto keeps = check_secret_keeper(secret_keeper(config)); !keeps) co_return Fail(keeps.error());
  auto database = Database::open(loop, config.state_dir);
  if (!database) co_return Fail(database.error());
  std::unique_ptr<Daemon> daemon(new Daemon(loop, log, std::move(config), std::move(*database)));
  auto prepared = daemon->release_service_.prepare();
  if (!prepared) co_return Fail(prepared.error());
  auto opened = co_await daemon->open_vault();
  if (!opened) co_return Fail(opened.error());
  if (auto loaded = daemon->session_clock_.load(); !loaded) co_return Fail(loaded.error());
  auto owned = co_await daemon->find_owner();
  if (!owned) co_return Fail(owned.error());
  daemon->make_services();
  auto secured = daemon->start_tls(std::move(issuer));
  if (!secured) co_return Fail(secured.error());
  co_return daemon;
}

Task<Result<void>> Daemon::find_owner() {
  const auto known = users_.owner();
  if (!known) co_return Fail(known.error());
  if (!*known) {
    const auto asked = co_await node_.refresh(0);
    if (!asked) log_.info("tailscaled does not answer; sign-ins wait for it", {{"WHY", asked.error().message}});
  }
  const auto owner = co_await accounts_.ensure_owner(login_name(), host_name());
  if (!owner) co_return Fail(owner.error());
  co_return Result<void>();
}

Task<Result<void>> Daemon::open_vault() {
  auto vault =
      co_await Vault::open(keys_, {config_.credentials_directory, config_.key_file, config_.state_dir}, loop_.clock());
  if (!vault) co_return Fail(vault.error());
  vault_ = std::move(*vault);
  co_return Result<void>();
}

void Daemon::make_services() {
  identities_.emplace(loop_, tailscaled_, control_api_ ? &*control_api_ : nullptr, node_,
                      IdentitySettings{.userspace = config_.tailscale.userspace});
  if (control_api_ && node_.known() != nullptr) {
    log_.warning("the control API is asked in place of tailscaled, which answers here too", {{"KEY", "api_key_file"}});
  }
  key_rotation_.emplace(loop_, log_, keys_, *vault_, audit_);
  session_service_.emplace(sessions_, *vault_, session_clock_, audit_);
  sign_ins_.emplace(*identities_, accounts_, *session_service_, loop_.clock());
  secret_service_.emplace(secrets_, *vault_, audit_, config_.secret_versions,
                          [this](std::uint64_t seals) { key_rotation_->note_seals(seals); });
  secret_lookup_.emplace(*secret_service_, deployments_);
  deployer_.emplace(DeployParts{.loop = loop_,
                                .log = log_,
                                .deployments = deployments_,
                                .audit = audit_,
                                .releases = release_service_,
                                .secrets = *secret_service_,
                                .installer = installer_,
                                .generator = generator_,
                                .units = units_,
                                .podman = podman_,
                                .policy = {.host = policy_host(config_), .allow_dangerous = config_.allow_dangerous},
                                .settle_ms = config_.settle_s * 1000ULL,
                                .health_timeout_ms = config_.health_timeout_s * 1000ULL,
                                .read_journal = read_journal});
  context_.emplace(RouteContext{.clock = loop_.clock(),
                                .log = log_,
                                .environment_json = environment_json_,
                                .is_degraded = watchdog_.is_degraded(),
                                .browser_url = [this] { return browser_url(); },
                                .audit = audit_,
                                .accounts = accounts_,
                                .identities = *identities_,
                                .sign_ins = *sign_ins_,
                                .sessions = *session_service_,
                                .secrets = *secret_service_,
                                .secret_lookup = *secret_lookup_,
                                .releases = release_service_,
                                .deployer = *deployer_,
                                .services = service_status_,
                                .keys = *key_rotation_});
  guard_.emplace(GuardParts{.loop = loop_,
                            .log = log_,
                            .sessions = *session_service_,
                            .identities = *identities_,
                            .accounts = accounts_,
                            .node = node_,
                            .limits = rate_limits_,
                            .hosts = config_.hosts});
  router_.emplace(routes());
  server_.emplace(loop_, log_, *guard_, *router_, *context_, config_.limits);
}

Task<Result<void>> Daemon::start(std::vector<HandedSocket> handed) {
  auto opened = open_doors(std::move(handed));
  if (!opened) co_return opened;
  // In the turn that opened the doors: a deployment that comes in before recovery has begun would be swept away by it.
  loop_.spawn(deployer_->recover(), [this](std::exception_ptr) { log_.error("recovery failed with an exception"); });
  co_await watchdog_.check();
  loop_.spawn(watchdog_.run(), [this](std::exception_ptr) { log_.error("the self-check failed with an exception"); });
  loop_.spawn(node_.run(), [this](std::exception_ptr) { log_.error("asking tailscaled failed with an exception"); });
  loop_.spawn(audit_.run(), [this](std::exception_ptr) { log_.error("the audit failed with an exception"); });
  loop_.spawn(key_rotation_->run(),
              [this](std::exception_ptr) { log_.error("key rotation failed with an exception"); });
  loop_.spawn(session_clock_.run(), [this](std::exception_ptr) { log_.error("the clock failed with an exception"); });
  notify_ready("serving");
  co_return Result<void>();
}

Result<void> Daemon::start_tls(CertificateSource issuer) {
  if (!config_.tls.is_on()) return {};
  Certificates::Origin origin = CertificateFiles{config_.tls.cert_file, config_.tls.key_file};
  if (config_.tls.from_tailscale) {
    if (!issuer.domain) {
      issuer = {.domain = [this] { return certified_name(); },
                .certificate = [this](std::string domain) { return tailscaled_.certificate(std::move(domain)); }};
    }
    origin = std::move(issuer);
  }
  certificates_.emplace(loop_, log_, std::move(origin));
  return certificates_->start();
}

// The name that tailscaled can have a certificate for.
Task<Result<std::string>> Daemon::certified_name() {
  const auto refreshed = co_await node_.refresh(kNodeAgeMs);
  if (!refreshed) co_return Fail(refreshed.error());
  const NodeStatus* node = node_.known();
  if (node != nullptr && !node->cert_domains.empty()) co_return node->cert_domains.front();
  co_return Fail({Code::unavailable,
                  "tailscaled has no name to get a certificate for.",
                  "Enable MagicDNS and HTTPS certificates for the tailnet in Tailscale's admin console.",
                  {}});
}

// Where a browser on this host finds legerd: a certificate is for a name, everything else is best at its address.
std::string Daemon::browser_url() const {
  if (tcp_address_.empty() || !certificates_) return tcp_address_.empty() ? "" : "http://" + tcp_address_;
  const std::string port = tcp_address_.substr(tcp_address_.rfind(':'));
  if (!config_.hosts.empty()) {
    const std::string& name = config_.hosts.front();
    return "https://" + (name.contains(':') ? name : name + port);
  }
  const NodeStatus* node = node_.known();
  const bool is_named = node != nullptr && !node->dns_name.empty();
  return "https://" + (is_named ? node->dns_name + port : tcp_address_);
}

Result<void> Daemon::open_door(Result<ListeningSocket> socket) {
  if (!socket) return Fail(socket.error());
  const Certificates* tls = certificates_ && !socket->is_unix ? &*certificates_ : nullptr;
  auto opened = server_->open_door(*socket, tls);
  if (opened) log_.info("listening", {{"ADDRESS", socket->address}});
  if (opened && !socket->is_unix && tcp_address_.empty()) tcp_address_ = reachable(socket->address);
  return opened;
}

Result<void> Daemon::open_doors(std::vector<HandedSocket> handed) {
  const bool anywhere = config_.insecure || config_.tls.is_on();
  Result<void> opened;
  for (const HandedSocket& socket : handed) {
    if (!opened) return opened;
    if (socket.is_unix) {
      opened = open_door(ListeningSocket{.fd = socket.fd, .is_unix = true, .address = socket.name});
      continue;
    }
    auto address = check_handed_tcp(socket.fd, anywhere);
    if (!address) return Fail(address.error());
    opened = open_door(ListeningSocket{.fd = socket.fd, .is_unix = false, .address = *address});
  }
  // Handed-over sockets replace the defaults; what the configuration names is opened as well.
  const std::string socket = config_.socket.value_or(handed.empty() ? config_.default_socket : "");
  if (opened && !socket.empty()) opened = open_door(bind_unix(socket));
  const std::vector<std::string> defaults{"127.0.0.1:8787"};
  const auto listen = config_.listen.value_or(handed.empty() ? defaults : std::vector<std::string>{});
  for (const std::string& address : listen) {
    if (opened) opened = open_door(bind_tcp(address, anywhere));
  }
  return opened;
}

Task<void> Daemon::stop() {
  notify_stopping();
  watchdog_.stop();
  node_.stop();
  session_clock_.stop();
  key_rotation_->stop();
  deployer_->stop();
  if (certificates_) certificates_->stop();
  co_await server_->shut_down(kGraceMs);
  co_await audit_.stop();
  tailnet_http_.stop();
}

}  // namespace leger
