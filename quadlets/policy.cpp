#include "quadlets/policy.h"

#include <algorithm>
#include <format>
#include <set>

#include "backend/base/text.h"
#include "quadlets/manifest.h"
#include "quadlets/policy_commands.h"
#include "quadlets/policy_context.h"
#include "quadlets/policy_settings.h"
#include "quadlets/policy_units.h"

namespace leger {
namespace {

std::vector<ExpandedUnit> expand_all(const std::vector<GeneratedUnit>& units, const PolicyPlaces& places) {
  std::vector<ExpandedUnit> expanded;
  expanded.reserve(units.size());
  for (const GeneratedUnit& unit : units) expanded.push_back(expand_unit(unit, places));
  return expanded;
}

std::string file_of(const GeneratedUnit& unit, const PolicyPlaces& places) {
  return path_in_app(normal_path(unit.source_path), places).value_or(unit.source_path);
}

// The quadlet whose units a drop-in folder changes: `web.container` of `web.container.d`; `container` of `container.d`.
std::string_view changed_by(std::string_view folder) {
  if (!folder.ends_with(".d")) return {};
  folder.remove_suffix(2);
  const bool is_type = is_quadlet(std::string("x.") + std::string(folder));
  return is_type || is_quadlet(folder) ? folder : std::string_view();
}

// Names with a dash at their end, and a template's without instance, stand for all that begin so.
bool is_for_many(std::string_view quadlet) {
  const std::string_view stem = quadlet.substr(0, quadlet.rfind('.'));
  return !quadlet.contains('.') || stem.ends_with('-');
}

}  // namespace

void PolicyContext::add(PolicyLevel level, std::string_view rule, std::string message) {
  constexpr std::size_t kMostBytes = 400;
  std::string id = std::string(rule) + ":" + file_;
  Said& said = said_[id];
  const std::size_t count = said.counts[level];
  if (count > kMostAlike) return;
  if (message.size() > kMostBytes) message = message.substr(0, kMostBytes) + "…";
  message = count == kMostAlike ? "and more of the same" : escape_controls(message);
  if (!said.messages.insert(message).second) return;
  ++said.counts[level];
  if (++said.ids > 1) id += ":" + std::to_string(said.ids);
  findings_.push_back(
      {.id = std::move(id), .level = level, .rule = std::string(rule), .file = file_, .message = std::move(message)});
}

void PolicyContext::path(const std::string& what, std::string_view path, Access access) {
  const auto verdict = judge_path(path, access, places_);
  if (verdict) add(verdict->level, verdict->rule, what + ": " + std::string(path) + " " + verdict->why);
}

bool PolicyContext::is_runtime_file(std::string_view path) const {
  const std::string folder = normal_path(places_.runtime_dir) + "/";
  if (!path.starts_with(folder)) return false;
  const std::string_view name = path.substr(folder.size());
  return own_.units.contains(std::string(name.substr(0, name.rfind('.'))) + ".service");
}

std::vector<PolicyFinding> judge_units(const std::vector<GeneratedUnit>& units, const PolicyPlaces& places) {
  const std::vector<ExpandedUnit> expanded = expand_all(units, places);
  PolicyContext context(places, names_of(expanded), names_of(expand_all(places.others, places)));
  for (std::size_t i = 0; i < units.size(); ++i) {
    context.begin(file_of(units[i], places));
    judge_commands(context, expanded[i]);
    judge_settings(context, expanded[i]);
  }
  return context.take();
}

std::vector<PolicyFinding> judge_dropins(const std::vector<std::string>& files) {
  std::set<std::string_view> quadlets;
  for (const std::string& file : files) {
    if (is_quadlet(file)) quadlets.insert(std::string_view(file).substr(file.rfind('/') + 1));
  }
  std::vector<PolicyFinding> findings;
  std::set<std::string_view> named;
  for (const std::string& file : files) {
    std::vector<std::string_view> folders = split(file, '/');
    folders.pop_back();
    for (const std::string_view folder : folders) {
      const std::string_view quadlet = changed_by(folder);
      if (quadlet.empty() || (quadlets.contains(quadlet) && !is_for_many(quadlet))) continue;
      if (!named.insert(folder).second) continue;
      findings.push_back({.id = "foreign-dropin:" + file,
                          .level = PolicyLevel::denied,
                          .rule = "foreign-dropin",
                          .file = file,
                          .message = std::string(folder) +
                                     " changes units of other apps; name it after a quadlet of this bundle, as in "
                                     "web.container.d"});
    }
  }
  return findings;
}

const std::vector<std::string_view>& policy_rules() {
  static const std::vector<std::string_view> rules = {"add-capability",
                                                      "alias",
                                                      "annotation",
                                                      "apparmor",
                                                      "auto-update",
                                                      "build",
                                                      "cgroup-conf",
                                                      "cgroups",
                                                      "containers-conf-module",
                                                      "credential",
                                                      "device",
                                                      "driver",
                                                      "env-host",
                                                      "environment",
                                                      "environment-file",
                                                      "exec",
                                                      "foreign-dropin",
                                                      "foreign-name",
                                                      "foreign-namespace",
                                                      "foreign-network",
                                                      "foreign-pod",
                                                      "foreign-unit",
                                                      "foreign-volume",
                                                      "foreign-volumes",
                                                      "global-args",
                                                      "hidden-path",
                                                      "host-ipc",
                                                      "host-loopback",
                                                      "host-network",
                                                      "host-path",
                                                      "host-pid",
                                                      "host-program",
                                                      "host-userns",
                                                      "host-uts",
                                                      "host-variable",
                                                      "host-write",
                                                      "image-transport",
                                                      "image-without-digest",
                                                      "keep-groups",
                                                      "kube",
                                                      "kube-build",
                                                      "kube-file",
                                                      "log-path",
                                                      "mount-propagation",
                                                      "mount-type",
                                                      "other-unit",
                                                      "podman-remote",
                                                      "podman-setting",
                                                      "podman-storage",
                                                      "preserve-fds",
                                                      "privileged",
                                                      "publish",
                                                      "registry-credentials",
                                                      "relative-path",
                                                      "remote-context",
                                                      "rootfs",
                                                      "runtime-file",
                                                      "seccomp-profile",
                                                      "seccomp-unconfined",
                                                      "secret-env",
                                                      "security-label",
                                                      "security-option",
                                                      "service-root",
                                                      "slice",
                                                      "socket",
                                                      "standard-stream",
                                                      "system-path",
                                                      "tls-verify",
                                                      "unit-action",
                                                      "unknown-option",
                                                      "unknown-setting",
                                                      "unmask",
                                                      "user-mapping",
                                                      "variable",
                                                      "writable-app-path"};
  return rules;
}

void apply_allowances(std::vector<PolicyFinding>& findings, const std::string& app,
                      const std::vector<std::string>& allowed) {
  for (PolicyFinding& finding : findings) {
    const auto is_allowed = [&](const std::string& entry) {
      return entry == finding.rule || entry == app + ":" + finding.rule;
    };
    if (std::ranges::any_of(allowed, is_allowed)) finding.level = PolicyLevel::flagged;
  }
}

std::string allowance_problem(std::string_view entry) {
  const std::size_t colon = entry.find(':');
  const std::string_view rule = colon == std::string_view::npos ? entry : entry.substr(colon + 1);
  if (colon != std::string_view::npos && !is_deployment_name(entry.substr(0, colon))) {
    return std::format("names no app in \"{}\"; write \"APP:RULE\", or \"RULE\" for every app", escape_controls(entry));
  }
  if (std::ranges::find(policy_rules(), rule) != policy_rules().end()) return {};
  std::string known;
  for (const std::string_view one : policy_rules()) known += (known.empty() ? "" : ", ") + std::string(one);
  return std::format("has no rule \"{}\"; the rules are {}", escape_controls(rule), known);
}

}  // namespace leger
