#include "quadlets/policy_paths.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "quadlets/policy_lines.h"

namespace leger {
namespace {

constexpr PolicyLevel kDenied = PolicyLevel::denied;
constexpr PolicyLevel kFlagged = PolicyLevel::flagged;

// Below the home: what opens other machines, or is run by the host for whoever can write it.
constexpr std::array kSensitive = {".ssh",
                                   ".gnupg",
                                   ".local/share/systemd",
                                   ".local/share/containers",
                                   ".config/systemd",
                                   ".config/containers",
                                   ".config/environment.d"};
constexpr std::array kSystem = {"/etc", "/usr",  "/boot", "/var",   "/dev", "/root",
                                "/bin", "/sbin", "/lib",  "/lib64", "/tmp"};
// Where tmux, ssh-agent and the display server listen, for whoever can name the socket: paths begin so.
constexpr std::array kSocketPlaces = {"/tmp/tmux-", "/tmp/ssh-", "/tmp/.X11-unix", "/tmp/.ICE-unix"};
// Folders that every program shares, and the one above; what lies below is judged by itself.
constexpr std::array<std::string_view, 3> kShared = {"/tmp", "/var/tmp", "/var"};
// Often mounted, read-only, and secret to nobody.
constexpr std::array kPlain = {"/etc/localtime", "/etc/timezone", "/etc/ssl/certs", "/usr/share/zoneinfo",
                               "/usr/share/ca-certificates"};

// A mount of a folder gives what is below it, so one above `place` is as good as `place`.
bool reaches(const std::string& path, const std::string& place) {
  return is_within(path, place) || is_within(place, path);
}

bool is_shared(const std::string& path) {
  return std::ranges::find(kShared, path) != kShared.end() ||
         std::ranges::any_of(kSocketPlaces, [&path](const char* place) { return path.starts_with(place); });
}

std::vector<std::string> protected_places(const PolicyPlaces& places) {
  std::vector<std::string> list = {"/proc", "/sys", "/run/user"};
  for (const char* name : kSensitive) list.push_back(normal_path(places.home + "/" + name));
  for (const std::string& own : places.leger_places) list.push_back(normal_path(own));
  list.push_back(normal_path(places.runtime_dir));
  list.push_back(normal_path(places.quadlet_dir));
  return list;
}

std::optional<PathVerdict> judge_in_app(Access access) {
  if (access == Access::reads) return std::nullopt;
  return PathVerdict{kDenied, "writable-app-path",
                     "lies in the app's own folder, which the next deployment swaps away with all that was written "
                     "there; mount it read-only (:ro), or name a volume or an absolute path instead"};
}

std::optional<PathVerdict> judge_system(const std::string& path, Access access, const PolicyPlaces& places) {
  const auto below = [&path](const char* place) { return is_within(path, place); };
  if (access == Access::reads && std::ranges::any_of(kPlain, below)) return std::nullopt;
  if (std::ranges::any_of(kSystem, below)) return PathVerdict{kFlagged, "system-path", "belongs to the system"};
  const std::string home = normal_path(places.home);
  if (is_within(path, home) && path.size() > home.size() + 1 && path[home.size() + 1] == '.') {
    return PathVerdict{kFlagged, "hidden-path", "is hidden in the home folder, where programs keep their settings"};
  }
  return std::nullopt;
}

}  // namespace

std::string normal_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(part);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string normal;
  for (const std::string_view part : kept) {
    normal += '/';
    normal += part;
  }
  if (is_within(normal, "/var/run")) normal.erase(0, 4);
  return normal.empty() ? "/" : normal;
}

bool is_within(std::string_view path, std::string_view folder) {
  if (folder == "/" || path == folder) return true;
  return !folder.empty() && path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::optional<std::string> path_in_app(const std::string& path, const PolicyPlaces& places) {
  for (const std::string& folder : {places.staged_folder, places.live_folder}) {
    if (folder.empty() || !is_within(path, normal_path(folder))) continue;
    return path.substr(std::min(path.size(), normal_path(folder).size() + 1));
  }
  return std::nullopt;
}

std::optional<PathVerdict> judge_path(std::string_view path, Access access, const PolicyPlaces& places) {
  if (has_unknown(path)) {
    return PathVerdict{kDenied, "variable", "holds a variable or specifier that is known only when the unit starts"};
  }
  if (!path.starts_with('/')) {
    return PathVerdict{kDenied, "relative-path", "is relative to a folder that nobody names; write it absolute"};
  }
  const std::string normal = normal_path(path);
  if (path_in_app(normal, places)) return judge_in_app(access);
  if (normal.ends_with(".sock") || normal.ends_with(".socket")) {
    return PathVerdict{kDenied, "socket", "is a socket, which speaks for whoever holds it"};
  }
  const std::string home = normal_path(places.home);
  const bool holds_home = is_within(home, normal) || is_within(normal_path(places.config_home), normal);
  const bool is_protected =
      std::ranges::any_of(protected_places(places), [&](const std::string& place) { return reaches(normal, place); });
  const bool is_runtime = is_within(normal, "/run") && !is_within(normal, "/run/media");
  if (!holds_home && !is_protected && !is_runtime && !is_shared(normal)) return judge_system(normal, access, places);
  return PathVerdict{kDenied, "host-path",
                     "gives the app the host's sockets, keys, settings or kernel, or those of other apps"};
}

}  // namespace leger
