#include "cli/auth_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/text.h"
#include "cli/output.h"
#include "cli/private_file.h"

namespace leger {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kMaxTextBytes = 8192;

// The five fields of a sign-in; the token is wiped from `object`. Nothing where one is missing or not what it must be.
std::optional<StoredAuth> take_entry(Json& object) {
  const auto type = text_field(object, "token_type");
  const auto expires_at = text_field(object, "expires_at");
  const auto user_uuid = text_field(object, "user_uuid");
  const auto user_email = text_field(object, "user_email");
  const auto token = object.find("token");
  if (token == object.end() || !token->is_string()) return std::nullopt;
  auto& token_text = token->get_ref<std::string&>();
  StoredAuth auth{.token = Secret(token_text), .socket = text_field(object, "socket").value_or("")};
  wipe(token_text);
  const auto expires_s = expires_at ? parse_rfc3339(*expires_at) : std::nullopt;
  const bool is_bearer = type && equal_ignoring_case(*type, "bearer");
  if (!is_bearer || !expires_s || !user_uuid || !user_email || !is_token(auth.token.reveal())) return std::nullopt;
  auth.expires_s = *expires_s;
  auth.user_uuid = *user_uuid;
  auth.user_email = *user_email;
  return auth;
}

Json five_fields(const StoredAuth& auth) {
  return Json{{"token", auth.token.reveal()},
              {"token_type", "Bearer"},
              {"expires_at", rfc3339(auth.expires_s)},
              {"user_uuid", auth.user_uuid},
              {"user_email", auth.user_email}};
}

void wipe_token(Json& object) { wipe(object["token"].get_ref<std::string&>()); }

Fail corrupt(std::string_view why) { return Fail({Code::invalid_token, std::string(why), {}, {}}); }

Result<AuthFile> load_file(const std::string& path) {
  const auto text = read_private_file(path, kMaxFileBytes);
  if (!text && text.error().code == Code::not_found) return AuthFile{};
  const bool too_large = !text && text.error().code == Code::body_too_large;
  if (!text && !too_large) return Fail(text.error());
  auto file = too_large ? corrupt("it is longer than 1 MiB") : AuthFile::parse(text->reveal());
  if (file) return file;
  return Fail({Code::invalid_token,
               "The file " + in_quotes(path) + " is corrupt: " + file.error().message + ".",
               "Sign in again, which replaces it:\n  leger auth login",
               {}});
}

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

bool is_token(std::string_view text) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").contains(c);
  };
  return !text.empty() && text.size() <= kMaxTokenBytes && std::ranges::all_of(text, fine);
}

Result<AuthFile> AuthFile::parse(std::string_view text) {
  auto json = parse_json(text, {.depth = 4, .string_bytes = kMaxTextBytes});
  if (!json || !json->is_object()) return corrupt("it is not a JSON object");
  AuthFile file;
  if (const auto servers = json->find("servers"); servers != json->end()) {
    if (!servers->is_object()) return corrupt("its servers are no object");
    for (auto& [url, entry] : servers->items()) {
      auto auth = take_entry(entry);
      if (!auth) return corrupt("the entry of " + in_quotes(url) + " is incomplete");
      file.servers_.insert_or_assign(url, *std::move(auth));
    }
  }
  const auto server = text_field(*json, "server");
  auto top = take_entry(*json);
  if (server && !top) return corrupt("the fields at its top are incomplete");
  if (!server) return file;
  if (const StoredAuth* entry = file.find(*server)) top->socket = entry->socket;
  file.put(*server, *std::move(top));
  return file;
}

Secret AuthFile::text() const {
  const StoredAuth* last = find(last_server_);
  Json json = last == nullptr ? Json::object() : five_fields(*last);
  if (last != nullptr) json["server"] = last_server_;
  json["servers"] = Json::object();
  for (const auto& [url, auth] : servers_) {
    json["servers"][url] = five_fields(auth);
    if (!auth.socket.empty()) json["servers"][url]["socket"] = auth.socket;
  }
  Secret result(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  if (last != nullptr) wipe_token(json);
  for (auto& [url, entry] : json["servers"].items()) wipe_token(entry);
  return result;
}

const StoredAuth* AuthFile::find(const std::string& url) const {
  const auto found = servers_.find(url);
  return found == servers_.end() ? nullptr : &found->second;
}

void AuthFile::put(const std::string& url, StoredAuth auth) {
  servers_.insert_or_assign(url, std::move(auth));
  last_server_ = url;
}

void AuthFile::remove(const std::string& url) {
  servers_.erase(url);
  if (last_server_ != url) return;
  const auto next = std::ranges::max_element(servers_, {}, [](const auto& entry) { return entry.second.expires_s; });
  last_server_ = next == servers_.end() ? "" : next->first;
}

Result<std::string> auth_path(const Io& io) {
  const auto config = io.variable("XDG_CONFIG_HOME");
  if (config && config->starts_with('/')) return *config + "/leger/auth.json";
  if (const auto home = io.variable("HOME")) return *home + "/.config/leger/auth.json";
  return Fail({Code::unavailable,
               "Neither XDG_CONFIG_HOME nor HOME is set, so there is no place for sign-ins.",
               "Set HOME to your home folder.",
               {}});
}

Result<AuthFile> load_auth(const Io& io) {
  const auto path = auth_path(io);
  if (!path) return Fail(path.error());
  return load_file(*path);
}

Result<void> check_auth(const Io& io) {
  const auto file = load_auth(io);
  if (!file && file.error().code != Code::invalid_token) return Fail(file.error());
  return {};
}

Result<void> store_auth(const Io& io, const std::string& url, StoredAuth auth) {
  const auto path = auth_path(io);
  if (!path) return Fail(path.error());
  const auto made = make_private_folder(folder_of(*path));
  if (!made) return made;
  const auto lock = FolderLock::take(folder_of(*path), io.patience.lock_ms);
  if (!lock) return Fail(lock.error());
  auto file = load_file(*path);
  if (!file && file.error().code != Code::invalid_token) return Fail(file.error());
  AuthFile fresh = file ? std::move(*file) : AuthFile{};
  fresh.put(url, std::move(auth));
  return replace_private_file(*path, fresh.text().reveal());
}

Result<void> forget_auth(const Io& io, const std::vector<std::string>& urls) {
  const auto path = auth_path(io);
  if (!path) return Fail(path.error());
  if (struct stat status{}; lstat(path->c_str(), &status) != 0 && errno == ENOENT) return {};
  const auto lock = FolderLock::take(folder_of(*path), io.patience.lock_ms);
  if (!lock) return Fail(lock.error());
  auto file = load_file(*path);
  if (!file) return Fail(file.error());
  for (const std::string& url : urls) file->remove(url);
  if (!file->servers().empty()) return replace_private_file(*path, file->text().reveal());
  if (unlink(path->c_str()) != 0 && errno != ENOENT) {
    return Fail(system_error("Removing " + in_quotes(*path), errno));
  }
  return {};
}

Result<Secret> stored_token(const Io& io, const std::string& url, std::string none) {
  const auto file = load_auth(io);
  if (!file) return Fail(file.error());
  const StoredAuth* auth = file->find(url);
  if (auth == nullptr) return Fail({Code::invalid_token, std::move(none), "Authenticate with: leger auth login", {}});
  if (auth->is_expired(SystemClock().wall_seconds())) {
    return Fail({Code::invalid_token, "Token expired", "Re-authenticate with: leger auth login", {}});
  }
  return Secret(std::string(auth->token.reveal()));
}

}  // namespace leger
