#include "backend/service/key_places.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace leger {
namespace {

namespace fs = std::filesystem;

std::string credential_path(const KeyPlaces& places) { return places.credentials_directory + "/leger.kek"; }

bool has_credential(const KeyPlaces& places) {
  std::error_code unseen;
  return !places.credentials_directory.empty() && fs::exists(credential_path(places), unseen);
}

// Where the folder of `path` really is: symbolic links lead into the state folder as well.
Result<bool> is_within(const std::string& path, const std::string& folder) {
  std::error_code problem;
  const fs::path inner = fs::weakly_canonical(path, problem);
  if (problem) return Fail(system_error("key file " + path, problem.value()));
  const fs::path outer = fs::weakly_canonical(folder, problem);
  if (problem) return Fail(system_error("folder " + folder, problem.value()));
  return std::ranges::mismatch(outer, inner).in1 == outer.end();
}

Result<void> check_place(const std::string& path, const std::string& state_dir) {
  const auto is_inside = is_within(path, state_dir);
  if (!is_inside) return Fail(is_inside.error());
  if (!*is_inside) return {};
  return Fail({Code::invalid_request,
               "The key file " + path + " is in the state folder " + state_dir + ".",
               "Keep it elsewhere, such as beside the configuration: whoever gets a copy of the state folder must not "
               "get the key with it.",
               {}});
}

Result<std::optional<Key>> read_place(const std::string& path, const std::string& state_dir, bool is_credential) {
  if (auto fit = check_place(path, state_dir); !fit) return Fail(fit.error());
  return read_key_file(path, is_credential);
}

// As one word of a shell's.
std::string quoted(const std::string& path) {
  std::string word = "'";
  for (const char letter : path) word += letter == '\'' ? R"('\'')" : std::string(1, letter);
  return word + "'";
}

Fail not_a_new_key(const std::string& path, std::string why) {
  return Fail({Code::invalid_request,
               std::move(why),
               "Make a new key of 32 random bytes outside the state folder: (umask 277; head -c 32 /dev/urandom > " +
                   quoted(path) + ")",
               {}});
}

}  // namespace

Result<std::optional<Key>> configured_key(const KeyPlaces& places) {
  constexpr bool kIsCredential = true;
  if (!places.credentials_directory.empty()) {
    auto credential = read_place(credential_path(places), places.state_dir, kIsCredential);
    if (!credential || *credential) return credential;
  }
  return read_place(places.key_file, places.state_dir, !kIsCredential);
}

Result<Key> noted_key(const KeyPlaces& places, const std::string& path) {
  auto key = read_place(path, places.state_dir, false);
  if (!key) return Fail(key.error());
  if (*key) return std::move(**key);
  return Fail({Code::unavailable, "there is no " + path, "Put the key file back from your backup.", {}});
}

Result<Key> new_key(const KeyPlaces& places, const std::string& path) {
  if (!path.starts_with('/') || path.contains('\0')) {
    return not_a_new_key("/…/new.kek", "The file of the new key needs an absolute path.");
  }
  auto key = read_place(path, places.state_dir, false);
  if (!key) return not_a_new_key(path, key.error().message);
  if (!*key) return not_a_new_key(path, "There is no key file " + path + ".");
  return std::move(**key);
}

std::string how_to_install(const KeyPlaces& places, const std::string& new_key_file) {
  if (has_credential(places)) return "make " + new_key_file + " the source of the unit's credential leger.kek";
  return "install -m 400 " + quoted(new_key_file) + " " + quoted(places.key_file);
}

}  // namespace leger
