#include "cli/auth.h"

#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "cli/api_client.h"
#include "cli/auth_file.h"
#include "cli/sign_in.h"

namespace leger {
namespace {

std::int64_t now() { return SystemClock().wall_seconds(); }

Json entry_of(const std::string& url, const StoredAuth& auth) {
  return Json{{"server", url},
              {"user_email", auth.user_email},
              {"user_uuid", auth.user_uuid},
              {"expires_at", rfc3339(auth.expires_s)},
              {"expired", auth.is_expired(now())}};
}

// The servers that are signed in to, but `shown_already`.
Json others(const AuthFile& file, const std::string& shown_already) {
  Json list = Json::array();
  for (const auto& [url, auth] : file.servers()) {
    if (url != shown_already) list.push_back(entry_of(url, auth));
  }
  return list;
}

void print_others(Output& output, std::string_view title, const Json& list) {
  if (list.empty()) return;
  output.line("\n" + std::string(title));
  std::vector<Row> rows;
  for (const Json& entry : list) {
    const bool expired = bool_field(entry, "expired") == true;
    rows.push_back({"  " + shown(entry, "server"), shown(entry, "user_email"),
                    Cell((expired ? "expired " : "expires ") + shown(entry, "expires_at"),
                         expired ? Colour::yellow : Colour::none)});
  }
  output.table(rows);
}

int show_server(const std::string& url, Output& output, const AuthFile& file) {
  const StoredAuth* auth = file.find(url);
  const bool expired = auth != nullptr && auth->is_expired(now());
  Json data{{"authenticated", auth != nullptr && !expired}, {"server", url}};
  if (auth != nullptr) data.update(entry_of(url, *auth));
  const Json list = others(file, url);
  if (!list.empty()) data["servers"] = list;
  output.data(data);
  if (auth == nullptr) {
    output.line("Not authenticated\n\nAuthenticate with: leger auth login");
  } else if (expired) {
    output.verdict("Token expired", Colour::yellow);
    output.line("\nRe-authenticate with: leger auth login");
  } else {
    output.verdict("Authenticated", Colour::green);
    output.line("  User: " + shown(data, "user_email"));
    output.line("  UUID: " + shown(data, "user_uuid"));
    output.line("  Expires: " + shown(data, "expires_at"));
    output.line("  Server: " + shown(data, "server"));
  }
  print_others(output, "Also signed in to:", list);
  return kDone;
}

int show_socket(const Target& target, Output& output, const Io& io, const AuthFile& file) {
  ApiClient api(target, io.patience);
  const auto me = api.get("/api/auth/me");
  if (!me) return output.fail(me.error());
  const auto user = me->find("user");
  if (user == me->end() || !text_field(*user, "user_uuid"))
    return output.fail(api.garbled("it does not say who we are"));
  Json data{{"authenticated", true},
            {"server", target.shown()},
            {"user_email", email_of(*user)},
            {"user_uuid", *text_field(*user, "user_uuid")}};
  const Json list = others(file, "");
  if (!list.empty()) data["servers"] = list;
  output.data(data);
  output.verdict("No sign-in is needed on the socket " + target.shown(), Colour::green);
  output.line("  User: " + shown(data, "user_email"));
  output.line("  UUID: " + shown(data, "user_uuid"));
  print_others(output, "Signed in to:", list);
  return kDone;
}

// Whose sign-ins a logout ends.
std::vector<std::string> meant(const Target& target, const AuthFile& file) {
  std::vector<std::string> urls;
  for (const auto& [url, auth] : file.servers()) {
    if (target.is_socket() ? auth.socket == target.unix_socket : url == target.url) urls.push_back(url);
  }
  return urls;
}

// Tells the server, as far as it can be reached; a token that is not good any more has no session there.
Result<void> revoke(const std::string& url, const StoredAuth& auth, const Io& io) {
  if (auth.is_expired(now())) return {};
  const Target target{"", url};
  const auto fine = check_target(target);
  if (!fine) return fine;
  ApiClient api(target, io.patience, Secret(std::string(auth.token.reveal())));
  const auto data = api.post("/api/auth/logout", Json::object());
  if (!data && data.error().code != Code::invalid_token) return Fail(data.error());
  return {};
}

}  // namespace

int show_auth_status(const Target& target, Output& output, const Io& io) {
  const auto file = load_auth(io);
  if (!file) return output.fail(file.error());
  return target.is_socket() ? show_socket(target, output, io, *file) : show_server(target.url, output, *file);
}

int show_no_auth(Output& output, const Io& io) {
  const auto file = load_auth(io);
  if (!file && file.error().code != Code::unavailable) return output.fail(file.error());
  output.data(Json{{"authenticated", false}});
  output.line("Not authenticated\n\nAuthenticate with: leger auth login");
  return kDone;
}

int auth_logout(const Target& target, Output& output, const Io& io) {
  const auto file = load_auth(io);
  if (!file) return output.fail(file.error());
  const std::vector<std::string> urls = meant(target, *file);
  for (const std::string& url : urls) {
    const auto told = revoke(url, *file->find(url), io);
    if (told) continue;
    output.warning(url + " could not be told, so the session stays there until it expires: " + told.error().message);
  }
  const auto forgotten = forget_auth(io, urls);
  if (!forgotten) return output.fail(forgotten.error());
  output.data(Json{{"server", target.shown()}, {"logged_out", urls}});
  if (target.is_socket() && urls.empty()) {
    output.line("No sign-in is needed on the socket " + target.shown() + ", and none was fetched over it");
    print_others(output, "Signed in to (log out with leger --server URL auth logout):", others(*file, ""));
    return kDone;
  }
  output.success("Logged out");
  return kDone;
}

}  // namespace leger
