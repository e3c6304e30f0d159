#include "quadlets/policy_values.h"

#include <algorithm>
#include <array>
#include <map>

#include "backend/base/text.h"
#include "quadlets/policy_lines.h"
#include "quadlets/policy_mounts.h"
#include "quadlets/policy_network.h"

namespace leger {
namespace {

using Value = const std::string&;

// `container:NAME` of another namespace's owner.
bool is_own_container(const PolicyContext& context, std::string_view value) {
  constexpr std::string_view kPrefix = "container:";
  return value.starts_with(kPrefix) && context.own().containers.contains(std::string(value.substr(kPrefix.size())));
}

void judge_namespace(PolicyContext& context, const std::string& kind, Value value, bool flag_host) {
  const std::string rule = kind == "userns" ? "host-userns" : "host-" + kind;
  const bool is_host = ascii_lower(value).starts_with("host");
  const std::string what = "--" + kind + " " + value;
  if (has_unknown(value)) return context.deny("variable", what + " is known only when the unit starts");
  if (is_host && flag_host) return context.flag(rule, what + " shares the host's");
  if (is_host) return context.deny(rule, what + " shares the host's");
  const bool joins = value.starts_with("ns:") || value.starts_with("container:") || value.starts_with('/');
  if (joins && !is_own_container(context, value)) context.deny("foreign-namespace", what + " joins one of others");
}

void judge_pid(PolicyContext& context, Value value) { judge_namespace(context, "pid", value, false); }
void judge_ipc(PolicyContext& context, Value value) { judge_namespace(context, "ipc", value, false); }
void judge_userns(PolicyContext& context, Value value) { judge_namespace(context, "userns", value, false); }
void judge_uts(PolicyContext& context, Value value) { judge_namespace(context, "uts", value, true); }

void judge_cgroupns(PolicyContext& context, Value value) {
  if (value == "private" || value == "pod" || value.empty() || is_own_container(context, value)) return;
  context.deny("cgroups", "--cgroupns " + value + " leaves the container's own cgroup");
}

void judge_cgroups(PolicyContext& context, Value value) {
  if (value != "split") context.deny("cgroups", "--cgroups " + value + " takes the container out of its unit's cgroup");
}

void judge_security(PolicyContext& context, Value value) {
  const std::size_t sign = value.find_first_of("=:");
  const std::string name = ascii_lower(value.substr(0, sign));
  const std::string setting = sign == std::string::npos ? "" : value.substr(sign + 1);
  const std::string what = "--security-opt " + value;
  if (name == "no-new-privileges" || name == "mask") return;
  if (has_unknown(setting)) return context.deny("variable", what + " is known only when the unit starts");
  if (name == "seccomp" && ascii_lower(setting) == "unconfined") {
    return context.deny("seccomp-unconfined", what + " lets every system call through");
  }
  if (name == "seccomp") {
    context.flag("seccomp-profile", what + " replaces the usual filter of system calls");
    return context.path(what, setting, Access::reads);
  }
  if (name == "unmask" || name == "systempaths") return context.deny("unmask", what + " uncovers the host's kernel");
  if (name == "apparmor") return context.flag("apparmor", what + " changes the container's confinement");
  if (name == "label") return context.flag("security-label", what + " changes the container's SELinux label");
  context.flag("security-option", what + " changes how the container is confined");
}

void judge_group(PolicyContext& context, Value value) {
  if (value == "keep-groups") context.flag("keep-groups", "--group-add keep-groups keeps the host's groups");
}

void judge_pod(PolicyContext& context, Value value) {
  if (!context.own().pods.contains(value)) context.deny("foreign-pod", "--pod " + value + " is no pod of the app");
}

void judge_name(PolicyContext& context, Value value) {
  if (value.contains(kUnknownVariable)) {
    return context.deny("variable", "the name " + value + " is known only when the unit starts");
  }
  const PolicyNames& others = context.others();
  if (!others.containers.contains(value) && !others.pods.contains(value)) return;
  context.deny("foreign-name", "the name " + value + " belongs to another app, whose container it would replace");
}

void judge_volumes_from(PolicyContext& context, Value value) {
  const std::string name = value.substr(0, value.find(':'));
  if (context.own().containers.contains(name)) return;
  context.deny("foreign-volumes", "--volumes-from " + value + " is no container of the app");
}

void judge_requires(PolicyContext& context, Value value) {
  for (const std::string_view name : split(value, ',')) {
    if (context.own().containers.contains(std::string(name))) continue;
    context.flag("other-unit", "--requires " + value + " is no container of the app");
  }
}

void judge_environment_file(PolicyContext& context, Value value) {
  context.flag("environment-file", "--env-file " + value + " hands the container variables from a file");
  context.path("--env-file " + value, value, Access::reads);
}

template <std::size_t N>
void judge_read(PolicyContext& context, const char (&option)[N], Value value) {
  context.path(std::string(option) + " " + value, value, Access::reads);
}

void judge_runtime_file(PolicyContext& context, Value value) {
  if (context.is_runtime_file(value)) return;
  context.deny("runtime-file", value + " is a file that podman would write or read on the host");
}

void judge_log_option(PolicyContext& context, Value value) {
  if (ascii_lower(value).starts_with("path=")) {
    context.deny("log-path", "--log-opt " + value + " makes podman write a file of the host");
  }
}

void judge_health_log(PolicyContext& context, Value value) {
  if (value == "local" || value == "events_logger") return;
  context.deny("log-path", "--health-log-destination " + value + " makes podman write a file of the host");
}

void judge_hosts_file(PolicyContext& context, Value value) {
  if (value != "none" && value != "image") judge_read(context, "--hosts-file", value);
}

// In a build, `src=` is a file of the host.
void judge_secret(PolicyContext& context, Value value) {
  // A variable may hold a comma, and behind it another `source=`.
  if (has_unknown(value)) {
    return context.deny("variable", "--secret " + value + " is known only when the unit starts");
  }
  for (const std::string& field : csv_fields(value)) {
    if (field == "type=env") context.flag("secret-env", "the secret " + value + " becomes an environment variable");
    if (field.starts_with("src=")) context.path("--secret " + value, field.substr(4), Access::reads);
    if (field.starts_with("source=/")) context.path("--secret " + value, field.substr(7), Access::reads);
    if (field.starts_with("env=")) context.flag("host-variable", "--secret " + value + " reads a host's variable");
  }
}

void judge_environment(PolicyContext& context, Value value) {
  if (value.contains('=')) return;
  context.flag("host-variable", "--env " + value + " hands on the variable of that name which the host has");
}

void judge_label(PolicyContext& context, Value value) {
  constexpr std::string_view kUpdate = "io.containers.autoupdate";
  if (value.starts_with("PODMAN_SYSTEMD_UNIT")) return context.flag("auto-update", value + " names what to restart");
  if (!value.starts_with(kUpdate) || value == std::string(kUpdate) + "=disabled") return;
  context.flag("auto-update", "--label " + value + " lets podman replace the image without a deployment");
}

void judge_annotation(PolicyContext& context, Value value) {
  constexpr std::array kSpecial = {"run.oci.", "io.podman.", "io.crun.", "krun.", "io.kubernetes.cri"};
  if (value.starts_with("io.containers.autoupdate")) return judge_label(context, value);
  const auto begins = [&value](const char* prefix) { return value.starts_with(prefix); };
  if (value.starts_with("volume.podman.io/")) return context.deny("kube", value + " decides on a volume's device");
  if (std::ranges::any_of(kSpecial, begins)) context.flag("annotation", value + " steers the container's runtime");
}

void judge_credentials(PolicyContext& context, Value value) {
  if (path_in_app(normal_path(value), context.places()) && value.starts_with('/') && !has_unknown(value)) return;
  context.deny("registry-credentials", value + " holds the host's keys for registries");
}

void judge_tls(PolicyContext& context, Value value) {
  if (value == "true" || value.empty()) return;
  context.flag("tls-verify", "--tls-verify=" + value + " accepts an image from whoever answers");
}

void judge_driver(PolicyContext& context, Value value) {
  if (value.empty() || value == "local" || value == "image" || value == "bridge") return;
  context.flag("driver", "--driver " + value + " is a program of the host");
}

void judge_build_context(PolicyContext& context, Value value) {
  const std::size_t equals = value.find('=');
  judge_build_path(context, equals == std::string::npos ? value : value.substr(equals + 1));
}

void judge_infra_image(PolicyContext& context, Value value) {
  if (!value.empty()) judge_image(context, value);
}

using Judge = void (*)(PolicyContext&, const std::string&);

const std::map<std::string_view, Judge>& judges() {
  static const std::map<std::string_view, Judge> table = {
      {"volume", judge_volume},
      {"mount", judge_mount},
      {"volumes-from", judge_volumes_from},
      {"network", judge_network},
      {"publish", judge_publish},
      {"userns", judge_userns},
      {"pid", judge_pid},
      {"ipc", judge_ipc},
      {"uts", judge_uts},
      {"cgroupns", judge_cgroupns},
      {"cgroups", judge_cgroups},
      {"security-opt", judge_security},
      {"group-add", judge_group},
      {"pod", judge_pod},
      {"name", judge_name},
      {"infra-name", judge_name},
      {"infra-image", judge_infra_image},
      {"requires", judge_requires},
      {"env-file", judge_environment_file},
      {"label-file", [](PolicyContext& context, Value value) { judge_read(context, "--label-file", value); }},
      {"cidfile", judge_runtime_file},
      {"pidfile", judge_runtime_file},
      {"conmon-pidfile", judge_runtime_file},
      {"infra-conmon-pidfile", judge_runtime_file},
      {"pod-id-file", judge_runtime_file},
      {"log-opt", judge_log_option},
      {"health-log-destination", judge_health_log},
      {"init-path", [](PolicyContext& context, Value value) { judge_read(context, "--init-path", value); }},
      {"hosts-file", judge_hosts_file},
      {"secret", judge_secret},
      {"env", judge_environment},
      {"label", judge_label},
      {"annotation", judge_annotation},
      {"authfile", judge_credentials},
      {"cert-dir", judge_credentials},
      {"decryption-key", judge_credentials},
      {"tls-verify", judge_tls},
      {"signature-policy", judge_credentials},
      {"configmap", [](PolicyContext& context, Value value) { judge_read(context, "--configmap", value); }},
      {"driver", judge_driver},
      {"opt", judge_volume_option},
      {"file", judge_build_path},
      {"ignorefile", judge_build_path},
      {"build-arg-file", judge_build_path},
      {"build-context", judge_build_context},
  };
  return table;
}

bool is_false(const std::string& value) {
  const std::string lower = ascii_lower(value);
  return lower == "false" || lower == "0" || lower == "f";
}

// A value is shown only where it cannot be a secret.
std::string shown(const GivenOption& given) {
  const std::string_view rule = given.option->rule;
  const bool is_secret = rule == "registry-credentials" || given.option->takes != Takes::value;
  return is_secret || given.value.empty() ? given.name : given.name + " " + given.value;
}

}  // namespace

// A file or folder that a build reads; relative ones are below the unit's own folder.
void judge_build_path(PolicyContext& context, Value value) {
  const bool is_remote = value.contains("://") || value.starts_with("github.com/") || value.starts_with("git@") ||
                         value.contains(".git") || value == "-" || value.contains("docker-image:");
  if (is_remote) return context.deny("remote-context", value + " comes from elsewhere and runs on this host");
  const bool is_plain = !value.starts_with('/') && !has_unknown(value);
  const std::string path = is_plain ? context.places().staged_folder + "/" + value : value;
  context.path(value, path, Access::reads);
}

void judge_option(PolicyContext& context, const GivenOption& given) {
  // A variable that is empty, or holds blanks, makes other words of what follows.
  if (given.value == std::string(1, kUnknownVariable)) {
    return context.deny("variable", given.name + " has a value that is known only when the unit starts");
  }
  if (given.option == nullptr) {
    return context.flag("unknown-option", given.name + " is an option of podman that Leger does not know");
  }
  const PodmanOption& option = *given.option;
  const bool is_off = option.takes != Takes::value && is_false(given.value);
  switch (option.says) {
    case Says::fine:
      if (given.value.contains(kUnknownVariable)) {
        context.flag("host-variable", given.name + " holds a variable that the host fills in");
      }
      return;
    case Says::flagged:
      if (!is_off) context.flag(option.rule, shown(given) + " gives the app more of the host than containers have");
      return;
    case Says::denied:
      if (!is_off) context.deny(option.rule, shown(given) + " hands the app the host");
      return;
    case Says::by_value:
      judges().at(option.name)(context, given.value);
      return;
  }
}

void judge_image(PolicyContext& context, const std::string& image) {
  if (!context.own().images.contains(image)) judge_pulled_image(context, image);
}

void judge_pulled_image(PolicyContext& context, const std::string& image) {
  if (image.starts_with("localhost/")) return;
  constexpr std::array kTransports = {
      "docker-archive:",     "docker-daemon:", "dir:",   "oci:", "oci-archive:", "ostree:", "sif:",
      "containers-storage:", "tarball:",       "atomic:"};
  const auto begins = [&image](const char* transport) { return image.starts_with(transport); };
  if (std::ranges::any_of(kTransports, begins)) {
    return context.deny("image-transport", "the image " + image + " is read from the host's own files");
  }
  const std::size_t digest = image.find("@sha256:");
  const bool is_exact = digest != std::string::npos && image.size() == digest + 8 + 64;
  if (!is_exact) {
    context.flag("image-without-digest",
                 "the image " + image + " names no digest (@sha256:…), so that it may be another one tomorrow");
  }
}

}  // namespace leger
