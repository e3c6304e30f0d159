#include "backend/service/secret_users.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "quadlets/run_arguments.h"

namespace leger {
namespace {

using Texts = std::map<std::string, std::string>;  // of generated units, by name

// Units that `text` says must be there, or before.
std::set<std::string> needs_of(const std::string& text) {
  constexpr std::array<std::string_view, 4> kKeys{"After=", "Requires=", "BindsTo=", "Wants="};
  std::set<std::string> needs;
  for (const std::string_view line : split(text, '\n')) {
    for (const std::string_view key : kKeys) {
      if (!line.starts_with(key)) continue;
      for (const std::string_view unit : split(line.substr(key.size()), ' ')) needs.emplace(unit);
    }
  }
  return needs;
}

// Puts `unit` behind what it needs; a circle is cut where it was entered.
class Order {
 public:
  Order(std::vector<SecretUser> units, const Texts& texts) : units_(std::move(units)), texts_(texts) {}

  std::vector<SecretUser> take() {
    for (const SecretUser& unit : units_) visit(unit.unit);
    return std::move(ordered_);
  }

 private:
  // Through units that are not among ours as well: a may need b, which needs c.
  void visit(const std::string& name) {
    if (!seen_.insert(name).second) return;
    const auto text = texts_.find(name);
    if (text != texts_.end()) {
      for (const std::string& needed : needs_of(text->second)) visit(needed);
    }
    const auto found = std::ranges::find(units_, name, &SecretUser::unit);
    if (found != units_.end()) ordered_.push_back(*found);
  }

  std::vector<SecretUser> units_;
  const Texts& texts_;
  std::set<std::string> seen_;
  std::vector<SecretUser> ordered_;
};

// The secrets of `generation` that get another version.
std::map<std::string, std::uint64_t> changed_secrets(const Generation& generation, const SecretChange& change) {
  std::map<std::string, std::uint64_t> changed;
  for (const auto& [name, version] : generation.secrets) {
    const auto now = change.versions.find(name);
    if (now != change.versions.end() && now->second != version) changed.emplace(name, now->second);
  }
  return changed;
}

void add_units(const std::string& app, const Generation& generation,
               const std::map<std::string, std::uint64_t>& changed, const Texts& texts,
               std::vector<SecretUser>& users) {
  for (const AppUnit& unit : generation.units) {
    // One whose quadlet somebody took away cannot be started, and keeps nobody else from it.
    const auto text = texts.find(unit.file());
    if (!unit.is_service() || text == texts.end()) continue;
    std::set<std::string> used(unit.secrets.begin(), unit.secrets.end());
    for (std::string& name : asked_secrets(text->second, {})) used.insert(std::move(name));
    // A pod ends with its last container, and takes all of them along when it starts anew.
    const std::string& name = unit.pod.empty() ? unit.name : unit.pod;
    const auto known = std::ranges::find(users, name, &SecretUser::unit);
    SecretUser fresh{.app = app, .unit = name, .secrets = {}};
    SecretUser& user = known == users.end() ? fresh : *known;
    for (const auto& [secret, version] : changed) {
      if (used.contains(secret) && !std::ranges::contains(user.secrets, secret)) user.secrets.push_back(secret);
    }
    if (known == users.end() && !fresh.secrets.empty()) users.push_back(std::move(fresh));
  }
}

}  // namespace

Result<SecretUsers> users_of_change(const std::vector<Deployment>& live, const DryRun& live_run,
                                    const std::string& quadlet_dir, const SecretChange& change) {
  Texts texts;
  for (const GeneratedUnit& unit : live_run.units) {
    if (unit.source_path.starts_with(quadlet_dir + "/")) texts.emplace(unit.name, unit.text);
  }
  SecretUsers users;
  for (const Deployment& row : live) {
    if (row.user_uuid != change.user_uuid || row.name == change.except) continue;
    auto generation = generation_from_json(row.journal);
    if (!generation) return Fail(generation.error());
    auto changed = changed_secrets(*generation, change);
    if (changed.empty()) continue;
    add_units(row.name, *generation, changed, texts, users.units);
    for (const auto& [name, version] : changed) {
      std::uint64_t& was = users.before[name];
      was = std::max(was, std::exchange(generation->secrets[name], version));
    }
    users.moves.push_back({.deployment_id = row.id, .journal = to_json(*generation), .secrets = std::move(changed)});
  }
  users.units = Order(std::move(users.units), texts).take();
  return users;
}

std::vector<PlannedUnit> planned_units(const SecretUsers& users) {
  std::vector<PlannedUnit> units;
  for (const SecretUser& user : users.units) {
    PlannedUnit unit{.name = user.unit, .change = "changed", .reasons = {}, .app = user.app};
    for (const std::string& secret : user.secrets) unit.reasons.push_back("secret " + secret);
    units.push_back(std::move(unit));
  }
  return units;
}

std::vector<std::string> unit_names(const SecretUsers& users) {
  std::vector<std::string> names;
  names.reserve(users.units.size());
  for (const SecretUser& user : users.units) names.push_back(user.unit);
  return names;
}

}  // namespace leger
