#include "backend/service/failure_report.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/offload.h"
#include "backend/base/text.h"
#include "backend/service/deploy_steps.h"
#include "backend/service/deployer.h"
#include "backend/service/generation.h"

namespace leger {
namespace {

constexpr std::size_t kLeastHidden = 4;       // bytes
constexpr std::size_t kMostLine = 1000;       // bytes, once values are hidden
constexpr std::size_t kMostLines = 20;        // of the journal and of the generator
constexpr std::size_t kMostProbes = 5;        // of a health check, the newest
constexpr std::uint64_t kJournalLagMs = 200;  // what a process wrote at its end comes to the journal a moment later

std::string_view without_newlines(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

void replace_all(std::string& text, std::string_view value, const std::string& by) {
  for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + by.size())) {
    text.replace(at, value.size(), by);
  }
}

Json shortened(std::vector<std::string> lines) {
  Json list = Json::array();
  for (std::string& line : lines) {
    if (line.size() > kMostLine) line = line.substr(0, kMostLine) + "…";
    list.push_back(std::move(line));
  }
  return list;
}

// What the host says of a unit, as it says it.
struct Evidence {
  std::vector<std::string> generator;
  std::vector<std::string> journal;
  std::vector<HealthProbe> health;

  bool empty() const { return generator.empty() && journal.empty() && health.empty(); }
};

// The generator's lines about `source`, or all that it says where none names it: a file that cannot be read takes
// others with it.
Task<std::vector<std::string>> ask_generator(DeployParts& parts, std::string app, std::string source) {
  auto dry_run = co_await parts.generator.dry_run({parts.installer.live_path(app)});
  if (!dry_run) co_return std::vector{dry_run.error().message};
  std::vector<std::string> lines;
  std::ranges::copy_if(dry_run->problems, std::back_inserter(lines),
                       [&source](const std::string& line) { return line.contains(source); });
  if (lines.empty()) lines = std::move(dry_run->problems);
  if (lines.size() > kMostLines) lines.resize(kMostLines);
  co_return lines;
}

Task<std::vector<std::string>> ask_journal(DeployParts& parts, std::string unit, std::string since) {
  if (!parts.read_journal) co_return std::vector<std::string>();
  co_await sleep_for(parts.loop, kJournalLagMs);
  const JournalQuery query{.unit = std::move(unit), .since = parse_rfc3339(since).value_or(0), .lines = kMostLines};
  co_return co_await offload(parts.loop, [&parts, &query] { return parts.read_journal(query); });
}

Task<std::vector<HealthProbe>> ask_health(DeployParts& parts, std::string unit) {
  const auto containers = co_await parts.podman.containers();
  if (!containers) co_return std::vector<HealthProbe>();
  const auto container = std::ranges::find(*containers, unit, &PodmanContainer::unit);
  if (container == containers->end() || container->health.value_or("healthy") == "healthy") {
    co_return std::vector<HealthProbe>();
  }
  auto probes = co_await parts.podman.health_log(container->id);
  if (!probes) co_return std::vector<HealthProbe>();
  // Podman has the oldest first.
  if (probes->size() > kMostProbes) probes->erase(probes->begin(), probes->end() - kMostProbes);
  co_return std::move(*probes);
}

Task<Evidence> look_at(DeployParts& parts, const Deployment& row, std::string unit, std::string source) {
  Evidence evidence;
  if (!source.empty()) evidence.generator = co_await ask_generator(parts, row.name, std::move(source));
  evidence.journal = co_await ask_journal(parts, unit, row.created_at);
  evidence.health = co_await ask_health(parts, std::move(unit));
  co_return evidence;
}

// Names and versions of the secrets that containers of this deployment, those it replaced, and those of the account's
// other apps, which it may have restarted, may have had.
std::set<std::pair<std::string, std::uint64_t>> secrets_of(DeployParts& parts, const Deployment& row) {
  std::set<std::pair<std::string, std::uint64_t>> secrets;
  const auto live = parts.deployments.live();
  for (std::size_t at = 0; live && at < live->size(); ++at) {
    const Deployment& other = (*live)[at];
    if (other.user_uuid != row.user_uuid) continue;
    const auto generation = generation_from_json(other.journal);
    if (generation) secrets.insert(generation->secrets.begin(), generation->secrets.end());
  }
  const auto staged = generation_from_json(row.journal);
  if (!staged) return secrets;
  secrets.insert(staged->secrets.begin(), staged->secrets.end());
  if (staged->replaces.empty()) return secrets;
  const auto before = parts.deployments.get(staged->replaces);
  const auto generation = before ? generation_from_json(before->journal) : Fail(before.error());
  if (generation) secrets.insert(generation->secrets.begin(), generation->secrets.end());
  return secrets;
}

// Each of these reads is on record, as that of any deployment.
Task<Result<std::vector<HiddenValue>>> read_values(DeployParts& parts, const Deployment& row) {
  std::vector<HiddenValue> values;
  for (const auto& [name, version] : secrets_of(parts, row)) {
    auto secret = co_await parts.secrets.read(deployment_actor(row), name, version);
    if (!secret) co_return Fail(secret.error());
    values.push_back({name, std::move(secret->value)});
  }
  co_return values;
}

void hide_in(Evidence& evidence, const std::vector<HiddenValue>& values) {
  for (auto* lines : {&evidence.generator, &evidence.journal}) {
    for (std::string& line : *lines) line = hide_values(std::move(line), values);
  }
  for (HealthProbe& probe : evidence.health) probe.output = hide_values(std::move(probe.output), values);
}

void add_evidence(Json& report, Evidence evidence) {
  if (!evidence.generator.empty()) report["generator"] = shortened(std::move(evidence.generator));
  if (!evidence.journal.empty()) report["journal"] = shortened(std::move(evidence.journal));
  if (evidence.health.empty()) return;
  Json health = Json::array();
  for (HealthProbe& probe : evidence.health) {
    health.push_back({{"time", probe.started},
                      {"exit_code", probe.exit_code},
                      {"output", shortened({std::string(without_newlines(probe.output))}).front()}});
  }
  report["health"] = std::move(health);
}

}  // namespace

std::string hide_values(std::string text, const std::vector<HiddenValue>& values) {
  std::vector<std::pair<std::string_view, const std::string*>> parts;
  for (const HiddenValue& hidden : values) {
    const std::string_view whole = without_newlines(hidden.value.reveal());
    parts.emplace_back(whole, &hidden.name);
    if (!whole.contains('\n')) continue;
    for (const std::string_view line : split(whole, '\n')) parts.emplace_back(without_newlines(line), &hidden.name);
  }
  std::ranges::stable_sort(parts, std::greater(), [](const auto& part) { return part.first.size(); });
  for (const auto& [value, name] : parts) {
    if (value.size() >= kLeastHidden) replace_all(text, value, "[secret " + *name + "]");
  }
  return text;
}

std::string add_to_report(const std::string& report, const std::string& text, const std::string& action) {
  Json json = Json::parse(report, nullptr, false);
  if (!json.is_object()) json = Json::object();
  json["message"] = text_field(json, "message").value_or("") + text;
  if (!action.empty()) json["action"] = action;
  return dump(json);
}

Task<std::string> failure_report(DeployParts& parts, Deployment row, Error error) {
  const Json about = Json::parse(error.details, nullptr, false);
  Json report = Json::parse(report_json(error), nullptr, false);
  const auto unit = text_field(about, "unit");
  if (!unit) co_return dump(report);
  report["unit"] = *unit;
  Evidence evidence = co_await look_at(parts, row, *unit, text_field(about, "source").value_or(""));
  if (evidence.empty()) co_return dump(report);
  const auto values = co_await read_values(parts, row);
  if (!values) {
    report["journal"] = Json::array(
        {"Lines are left out, since a secret that might be in them cannot be read: " + values.error().message});
    co_return dump(report);
  }
  hide_in(evidence, *values);
  add_evidence(report, std::move(evidence));
  co_return dump(report);
}

}  // namespace leger
