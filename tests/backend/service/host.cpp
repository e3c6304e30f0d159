#include "tests/backend/service/host.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "backend/base/text.h"
#include "backend/service/release_service.h"
#include "backend/service/secret_service.h"
#include "quadlets/generator.h"
#include "quadlets/image_names.h"
#include "quadlets/installer.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/owner.h"
#include "tests/backend/service/shaky.h"
#include "tests/quadlets/archives.h"
#include "tests/quadlets/policy_cases.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

// Text of every file below `folder`, by its path there.
std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored)) {
    const std::string path = entry.path().lexically_relative(folder).string();
    if (entry.is_directory()) files[path + "/"] = "";
    if (entry.is_regular_file()) files[path] = read_file(entry.path().string());
  }
  return files;
}

std::string path_below(const std::string& folder, const std::string& path) { return folder + "/" + path; }

std::string unit_of(const fs::path& quadlet) {
  const std::string stem = quadlet.stem().string();
  const std::string kind = quadlet.extension().string();
  if (kind == ".container") return stem + ".service";
  if (kind == ".volume" || kind == ".network") return stem + "-" + kind.substr(1) + ".service";
  return {};
}

}  // namespace

Trouble::Next Trouble::next(const std::string& call) {
  calls.push_back(call);
  if (watch) watch(call);
  const int number = static_cast<int>(calls.size());
  if (number == crash_at) crash();
  if (number == fail_before) return Next::fails_before;
  return number == fail_after ? Next::fails_after : Next::good;
}

void Machine::keep(const std::string& unit, const std::string& path, const std::string& text) {
  quadlets_[unit] = {path, text};
  if (!units.knows(unit)) units.add(unit, path);
  units.at(unit).source_path = path;
  units.at(unit).load_state = "loaded";
}

void Machine::generate() {
  const auto before = std::exchange(quadlets_, {});
  for (const auto& [path, text] : files_below(quadlet_dir_)) {
    const std::string unit = unit_of(path);
    if (!unit.empty() && !quadlets_.contains(unit)) keep(unit, path_below(quadlet_dir_, path), text);
  }
  for (const auto& [unit, quadlet] : before) {
    if (quadlets_.contains(unit)) continue;
    // systemd keeps what runs; its file is gone.
    if (units.at(unit).active_state != "active") {
      units.remove(unit);
    } else {
      units.at(unit).load_state = "not-found";
      quadlets_[unit] = {"", quadlet.text};
    }
  }
}

std::vector<std::string> Machine::loaded() {
  std::vector<std::string> names;
  for (const auto& [unit, quadlet] : quadlets_) {
    if (units.at(unit).load_state == "loaded") names.push_back(unit);
  }
  names.emplace_back("dbus.service");
  return names;
}

void Machine::started(const std::string& unit) {
  const Quadlet& quadlet = quadlets_.at(unit);
  const std::string folder = fs::path(quadlet.path).parent_path().string();
  std::string what = quadlet.text;
  for (const auto& [path, text] : files_below(folder)) {
    if (path.ends_with(".network")) podman.networks.insert("systemd-" + fs::path(path).stem().string());
    if (path.ends_with(".volume")) podman.volumes.insert("systemd-" + fs::path(path).stem().string());
    if (unit_of(path).empty() && quadlet.text.contains(path)) what.append(path).append(": ").append(text);
  }
  for (const auto& [name, secret] : podman.stored) {
    if (quadlet.text.contains("Secret=" + name)) what.append(name).append(": ").append(secret.value).append("\n");
  }
  for (const std::string_view line : split(quadlet.text, '\n')) {
    if (!line.starts_with("Image=")) continue;
    what.append("image ").append(image_id(podman.local_images, line.substr(6))).append("\n");
  }
  running[unit] = what;
}

Json Machine::save() {
  Json quadlets = Json::object();
  for (const auto& [unit, quadlet] : quadlets_) {
    const UnitState& state = units.at(unit);
    quadlets[unit] = {quadlet.path, quadlet.text, state.load_state, state.active_state};
  }
  Json secrets = Json::object();
  for (const auto& [name, secret] : podman.stored) secrets[name] = {{"value", secret.value}, {"labels", secret.labels}};
  Json images = Json::array();
  for (const PodmanImage& image : podman.local_images) images.push_back({{"id", image.id}, {"names", image.names}});
  return Json{{"quadlets", quadlets},        {"images", images},         {"secrets", secrets}, {"running", running},
              {"networks", podman.networks}, {"volumes", podman.volumes}};
}

void Machine::load(const Json& state) {
  if (state.is_null()) return;
  for (const auto& [unit, quadlet] : state["quadlets"].items()) {
    keep(unit, quadlet[0].get<std::string>(), quadlet[1].get<std::string>());
    units.at(unit).load_state = quadlet[2].get<std::string>();
    units.at(unit).active_state = quadlet[3].get<std::string>();
  }
  for (const auto& [name, secret] : state["secrets"].items()) {
    podman.stored[name] = {"id-" + name, secret["value"].get<std::string>(),
                           secret["labels"].get<std::map<std::string, std::string>>()};
  }
  for (const Json& image : state["images"]) {
    podman.local_images.push_back({image["id"].get<std::string>(), image["names"].get<std::vector<std::string>>()});
  }
  running = state["running"].get<std::map<std::string, std::string>>();
  podman.networks = state["networks"].get<std::set<std::string>>();
  podman.volumes = state["volumes"].get<std::set<std::string>>();
}

std::string Machine::picture() {
  std::string text;
  for (const auto& [path, content] : files_below(quadlet_dir_))
    text.append("file ").append(path).append("\n").append(content).append("\n");
  for (const std::string& unit : loaded()) text += "loaded " + unit + "\n";
  for (const auto& [unit, what] : running) text.append("runs ").append(unit).append("\n").append(what).append("\n");
  for (const auto& [name, secret] : podman.stored) {
    text.append("secret ").append(name).append(" ").append(secret.value);
    for (const auto& [label, value] : secret.labels) text.append(" ").append(label).append("=").append(value);
    text += "\n";
  }
  for (const std::string& network : podman.networks) text += "network " + network + "\n";
  for (const std::string& volume : podman.volumes) text += "volume " + volume + "\n";
  return text;
}

class Daemon::Parts {
 public:
  Parts(Daemon& daemon, const std::string& folder, const std::string& generator_program)
      : audit(daemon.loop, *daemon.database),
        key_rows(*daemon.database),
        secret_rows(*daemon.database),
        release_rows(*daemon.database),
        user_rows(*daemon.database),
        deployments(*daemon.database),
        files(daemon.trouble),
        units(daemon.machine, daemon.trouble),
        podman(daemon.machine.podman, daemon.trouble),
        installer(files, folder + "/containers/systemd"),
        generator(daemon.loop, generator_program),
        releases(daemon.loop, log, release_rows, audit.log, {.folder = folder + "/state/releases", .keep = 20}) {
    auto opened = run(daemon.loop, Vault::open(key_rows, {{}, folder + "/leger.kek", folder + "/state"}, daemon.clock));
    REQUIRE(opened);
    vault = std::move(*opened);
    secrets.emplace(secret_rows, *vault, audit.log, 10U, [](std::uint64_t) {});
    REQUIRE(releases.prepare());
    deployer.emplace(all(daemon.loop));
  }

  DeployParts all(Loop& loop) {
    return {.loop = loop,
            .log = log,
            .deployments = deployments,
            .audit = audit.log,
            .releases = releases,
            .secrets = *secrets,
            .installer = installer,
            .generator = generator,
            .units = units,
            .podman = podman,
            .policy = {.host = places_of({}), .allow_dangerous = {}},
            .settle_ms = 0,
            .health_timeout_ms = 0};
  }

  Log log{LogLevel::error};
  Audit audit;
  KeyStore key_rows;
  SqliteSecrets secret_rows;
  SqliteReleases release_rows;
  SqliteUsers user_rows;
  Deployments deployments;
  ShakyFiles files;
  ShakyUnits units;
  ShakyPodman podman;
  Installer installer;
  Generator generator;
  ReleaseService releases;
  std::unique_ptr<Vault> vault;
  std::optional<SecretService> secrets;
  std::optional<Deployer> deployer;
};

Daemon::Daemon(const std::string& folder, const Json& machine_state, bool generator_is_there)
    : loop(clock), machine(loop, folder + "/containers/systemd") {
  auto opened = Database::open(loop, folder + "/state");
  REQUIRE(opened);
  database = std::move(*opened);
  machine.load(machine_state);
  const std::string program = generator_is_there ? LEGER_FAKE_GENERATOR : "/nowhere/quadlet";
  parts_ = std::make_unique<Parts>(*this, folder, program);
  user = make_owner(loop, parts_->user_rows, folder);
}

Daemon::~Daemon() {
  parts_.reset();
  database.reset();
  loop.run_until_idle();
}

DeployParts Daemon::deploy_parts() { return parts_->all(loop); }
Deployer& Daemon::deployer() { return *parts_->deployer; }
SecretService& Daemon::secrets() { return *parts_->secrets; }
Audit& Daemon::audit() { return parts_->audit; }
Deployments& Daemon::deployments() { return parts_->deployments; }
Installer& Daemon::installer() { return parts_->installer; }

void Daemon::set_secret(const std::string& name, const std::string& value) {
  REQUIRE(run(loop, secrets().set(at_socket(user), name, Secret(value), std::nullopt)));
}

namespace {

Task<Result<std::string>> next_of(std::shared_ptr<std::vector<std::string>> parts) {
  if (parts->empty()) co_return std::string();
  std::string part = std::move(parts->front());
  parts->erase(parts->begin());
  co_return part;
}

}  // namespace

std::uint64_t Daemon::upload(const std::string& name, const std::map<std::string, std::string>& files,
                             const std::vector<std::string>& secrets_required) {
  auto parts = std::make_shared<std::vector<std::string>>();
  parts->push_back(make_bundle(name, files, secrets_required));
  auto added = run(loop, parts_->releases.upload(at_socket(user), [parts] { return next_of(parts); }, std::nullopt));
  REQUIRE(added);
  return added->release.version;
}

Result<Deployment> Daemon::install(std::uint64_t version, InstallOptions options) {
  const auto id = run(loop, deployer().install(at_socket(user), version, std::move(options)));
  if (!id) return Fail(id.error());
  return deployments().get(*id);
}

Result<Deployment> Daemon::remove(const std::string& name, Deployer::Volumes volumes) {
  const auto id = run(loop, deployer().remove(at_socket(user), name, volumes));
  if (!id) return Fail(id.error());
  return deployments().get(*id);
}

Result<Deployment> Daemon::go_back(const std::string& name) {
  const auto id = run(loop, deployer().go_back(at_socket(user), name));
  if (!id) return Fail(id.error());
  return deployments().get(*id);
}

void Daemon::recover() {
  bool failed = false;
  loop.spawn(deployer().recover(), [&failed](std::exception_ptr) { failed = true; });
  loop.run_until_idle();
  REQUIRE_FALSE(failed);
}

std::string Daemon::picture() {
  std::string text = machine.picture();
  const auto live = deployments().live();
  REQUIRE(live);
  for (const Deployment& row : *live) text += "live " + row.name + " v" + std::to_string(row.version) + "\n";
  return text;
}

std::vector<std::string> Daemon::staged() {
  auto ids = installer().staged_ids();
  REQUIRE(ids);
  return *ids;
}

std::string make_bundle(const std::string& name, const std::map<std::string, std::string>& files,
                        const std::vector<std::string>& secrets_required) {
  Json names = Json::array();
  for (const auto& [path, text] : files) names.push_back(path);
  const Json manifest{{"version", 1},   {"deployment_name", name},   {"created_at", "2026-11-22T04:05:06Z"},
                      {"files", names}, {"services", Json::array()}, {"secrets_required", secrets_required}};
  std::string archive = tar_file("manifest.json", dump(manifest));
  for (const auto& [path, text] : files) archive += tar_file(path, text);
  return gzip(archive + tar_end());
}

}  // namespace leger::test
