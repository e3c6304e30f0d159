#include "quadlets/policy_settings.h"

#include <algorithm>
#include <array>

#include "backend/base/text.h"

namespace leger {
namespace {

bool is_in(const auto& list, std::string_view word) {
  return std::ranges::any_of(list, [word](const char* known) { return word == known; });
}

bool begins(const auto& list, std::string_view word) {
  return std::ranges::any_of(list, [word](const char* known) { return word.starts_with(known); });
}

constexpr std::array kHarmlessUnit = {
    "Description",           "Documentation",      "SourcePath",       "DefaultDependencies",
    "StopWhenUnneeded",      "RefuseManualStart",  "RefuseManualStop", "CollectMode",
    "IgnoreOnIsolate",       "AllowIsolate",       "JobTimeoutSec",    "JobRunningTimeoutSec",
    "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst",  "RequiresMountsFor",
    "WantsMountsFor",        "OnFailureJobMode",   "OnSuccessJobMode"};
constexpr std::array kHarmlessUnitBeginnings = {"Condition", "Assert", "X-"};
// What these name is started, stopped or joined without being asked.
constexpr std::array kStrongDependencies = {"OnFailure",          "OnSuccess",        "BindsTo",   "BindTo",
                                            "PropagatesStopTo",   "JoinsNamespaceOf", "Conflicts", "Upholds",
                                            "PropagatesReloadTo", "PropagateReloadTo"};
constexpr std::array kDependencies = {"Requires",
                                      "Wants",
                                      "After",
                                      "Before",
                                      "Requisite",
                                      "PartOf",
                                      "StopPropagatedFrom",
                                      "ReloadPropagatedFrom",
                                      "PropagateReloadFrom",
                                      "RequiresOverridable",
                                      "RequisiteOverridable"};
constexpr std::array kEndTargets = {"poweroff.target",
                                    "reboot.target",
                                    "soft-reboot.target",
                                    "halt.target",
                                    "kexec.target",
                                    "exit.target",
                                    "shutdown.target",
                                    "suspend.target",
                                    "hibernate.target",
                                    "hybrid-sleep.target",
                                    "suspend-then-hibernate.target",
                                    "sleep.target",
                                    "emergency.target",
                                    "rescue.target",
                                    "runlevel0.target",
                                    "runlevel6.target",
                                    "ctrl-alt-del.target"};

constexpr std::array kHarmlessService = {"Type",
                                         "ExitType",
                                         "NotifyAccess",
                                         "RemainAfterExit",
                                         "GuessMainPID",
                                         "KillMode",
                                         "KillSignal",
                                         "FinalKillSignal",
                                         "RestartKillSignal",
                                         "WatchdogSignal",
                                         "SendSIGKILL",
                                         "SendSIGHUP",
                                         "SyslogIdentifier",
                                         "SyslogLevel",
                                         "SyslogLevelPrefix",
                                         "SyslogFacility",
                                         "LogLevelMax",
                                         "LogRateLimitIntervalSec",
                                         "LogRateLimitBurst",
                                         "Delegate",
                                         "OOMPolicy",
                                         "OOMScoreAdjust",
                                         "SuccessExitStatus",
                                         "RuntimeMaxSec",
                                         "RuntimeRandomizedExtraSec",
                                         "WatchdogSec",
                                         "Nice",
                                         "TasksMax",
                                         "TasksAccounting",
                                         "StartLimitInterval",
                                         "StartLimitBurst",
                                         "ManagedOOMSwap",
                                         "ManagedOOMMemoryPressure",
                                         "ManagedOOMMemoryPressureLimit",
                                         "ManagedOOMPreference",
                                         "UMask"};
constexpr std::array kHarmlessServiceBeginnings = {"Restart",    "Timeout",   "Memory",        "CPU",
                                                   "IO",         "Limit",     "AllowedCPUs",   "AllowedMemoryNodes",
                                                   "StartupCPU", "StartupIO", "StartupMemory", "X-"};
// What the command line means depends on these: another root, another program, another environment.
constexpr std::array kDeniedService = {"RootDirectory",
                                       "RootImage",
                                       "BindPaths",
                                       "BindReadOnlyPaths",
                                       "MountImages",
                                       "ExtensionImages",
                                       "ExtensionDirectories",
                                       "TemporaryFileSystem",
                                       "PAMName",
                                       "OpenFile",
                                       "MountAPIVFS",
                                       "RootEphemeral",
                                       "InaccessiblePaths",
                                       "ReadOnlyPaths",
                                       "NetworkNamespacePath",
                                       "IPCNamespacePath"};
constexpr std::array kCredentials = {"LoadCredential", "LoadCredentialEncrypted", "SetCredential",
                                     "SetCredentialEncrypted", "ImportCredential"};
constexpr std::array kStreams = {"StandardInput",     "StandardOutput",    "StandardError",
                                 "StandardInputText", "StandardInputData", "TTYPath"};
constexpr std::array kStreamValues = {"journal", "null", "inherit", "journal+console", "kmsg", "syslog", "data"};
constexpr std::array kActions = {"FailureAction",    "SuccessAction",  "StartLimitAction",
                                 "JobTimeoutAction", "RebootArgument", "JobTimeoutRebootArgument"};

bool is_own(const PolicyContext& context, std::string_view unit) {
  if (context.own().units.contains(std::string(unit))) return true;
  // `web@1.service` of the app's web@.service.
  const std::size_t at = unit.find('@');
  const std::size_t dot = unit.rfind('.');
  if (at == std::string_view::npos || dot == std::string_view::npos || dot < at) return false;
  return context.own().units.contains(std::string(unit.substr(0, at + 1)) + std::string(unit.substr(dot)));
}

std::vector<std::string> names_in(const std::string& value) {
  auto names = split_words(value);
  if (names.empty()) names.push_back(value);
  return names;
}

void judge_dependency(PolicyContext& context, const std::string& key, const std::string& unit) {
  const std::string what = key + "=" + unit;
  const bool is_order = key == "After" || key == "Before";
  if (is_own(context, unit)) return;
  if (is_in(kStrongDependencies, key)) {
    // Stopping with the session is what every unit does.
    if (key == "Conflicts" && unit == "shutdown.target") return;
    return context.deny("foreign-unit", what + " starts, stops or joins a unit that is not the app's");
  }
  if (!is_order && is_in(kEndTargets, unit)) {
    return context.deny("unit-action", what + " ends the session or the host");
  }
  if (unit.ends_with(".target") || unit == "podman-user-wait-network-online.service") return;
  context.flag("other-unit", what + " depends on a unit that is not the app's");
}

void judge_unit_line(PolicyContext& context, const UnitEntry& entry) {
  if (is_in(kStrongDependencies, entry.key) || is_in(kDependencies, entry.key)) {
    for (const std::string& unit : names_in(entry.value)) judge_dependency(context, entry.key, unit);
  } else if (is_in(kActions, entry.key)) {
    if (entry.value != "none") context.deny("unit-action", entry.key + "=" + entry.value + " ends the host or session");
  } else if (!is_in(kHarmlessUnit, entry.key) && !begins(kHarmlessUnitBeginnings, entry.key)) {
    context.flag("unknown-setting", "[Unit] " + entry.key + "= is a setting that Leger does not know");
  }
}

void judge_environment(PolicyContext& context, const ExpandedUnit& unit, const UnitEntry& entry) {
  if (entry.key == "Environment" && entry.value == "PODMAN_SYSTEMD_UNIT=" + unit.name) return;
  // Its value may be a secret, and is not shown.
  context.deny("environment", "[Service] " + entry.key + "= changes what podman itself does on the host");
}

void judge_service_line(PolicyContext& context, const ExpandedUnit& unit, const UnitEntry& entry) {
  const std::string what = "[Service] " + entry.key + "=" + entry.value;
  if (entry.key == "Environment" || entry.key == "EnvironmentFile" || entry.key == "PassEnvironment" ||
      entry.key == "UnsetEnvironment") {
    judge_environment(context, unit, entry);
  } else if (entry.key == "PIDFile") {
    const std::string own = context.places().runtime_dir + "/" + unit.name.substr(0, unit.name.rfind('.')) + ".pid";
    if (entry.value != own) context.deny("runtime-file", what + " is a file of the host");
  } else if (entry.key == "WorkingDirectory") {
    const bool is_inside = path_in_app(normal_path(entry.value), context.places()).has_value();
    if (!is_inside) context.deny("relative-path", what + " changes what relative paths mean");
  } else if (is_in(kDeniedService, entry.key)) {
    context.deny("service-root", what + " changes which files of the host podman sees");
  } else if (is_in(kCredentials, entry.key)) {
    context.deny("credential", "[Service] " + entry.key + "= reads a file of the host for the unit");
  } else if (is_in(kStreams, entry.key)) {
    if (!is_in(kStreamValues, entry.value))
      context.deny("standard-stream", what + " writes or reads files of the host");
  } else if (is_in(kActions, entry.key)) {
    if (entry.value != "none") context.deny("unit-action", what + " ends the host or session");
  } else if (entry.key == "Slice") {
    context.flag("slice", what + " puts the unit beside others than systemd would");
  } else if (!is_in(kHarmlessService, entry.key) && !begins(kHarmlessServiceBeginnings, entry.key)) {
    context.flag("unknown-setting", "[Service] " + entry.key + "= is a setting that Leger does not know");
  }
}

// Read by the generator, which makes links of it beside the units.
void judge_install_line(PolicyContext& context, const UnitEntry& entry) {
  constexpr std::array kKnown = {"Alias", "WantedBy", "RequiredBy", "UpheldBy", "Also", "DefaultInstance"};
  if (!is_in(kKnown, entry.key)) {
    return context.flag("unknown-setting", "[Install] " + entry.key + "= is a setting that Leger does not know");
  }
  if (entry.key == "DefaultInstance") return;
  for (const std::string& unit : names_in(entry.value)) {
    const std::string what = "[Install] " + entry.key + "=" + unit;
    if (is_own(context, unit)) continue;
    if (unit.contains('/')) {
      context.deny("alias", what + " is no name of a unit but a path");
    } else if (entry.key == "Alias" || entry.key == "Also") {
      context.deny("alias", what + " takes a name that is not the app's");
    } else if (!unit.ends_with(".target") || is_in(kEndTargets, unit)) {
      context.flag("other-unit", what + " lets a unit that is not the app's start it");
    }
  }
}

}  // namespace

void judge_settings(PolicyContext& context, const ExpandedUnit& unit) {
  for (const UnitEntry& entry : unit.entries) {
    if (entry.value.empty()) continue;
    if (entry.section == "Unit") judge_unit_line(context, entry);
    if (entry.section == "Service" && !entry.key.starts_with("Exec")) judge_service_line(context, unit, entry);
    if (entry.section == "Install") judge_install_line(context, entry);
  }
  for (const UnitEntry& entry : unit.generator_entries) {
    if (entry.section == "Install" && !entry.value.empty()) judge_install_line(context, entry);
  }
}

}  // namespace leger
