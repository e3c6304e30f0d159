#pragma once

// The sign-ins that leger keeps, $XDG_CONFIG_HOME/leger/auth.json: a token for each server, and which server was signed
// in to last. The fields of that one stand at the top of the file as well, and there they count: people read and change
// them there. A token is good for the very URL it is stored under and goes nowhere else. Blocking, one thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "backend/base/secret.h"
#include "cli/io.h"

namespace leger {

struct StoredAuth {
  Secret token;
  std::int64_t expires_s = 0;  // seconds since 1970
  std::string user_uuid;
  std::string user_email;
  std::string socket;  // path of legerd's socket that it was fetched over; empty where it came over TCP

  bool is_expired(std::int64_t now) const { return expires_s <= now; }
};

// Whether the text can travel in a header: 1 to 4096 characters of a token (RFC 6750 §2.1).
bool is_token(std::string_view text);

// What is in the file. URLs are as parse_target() writes them.
class AuthFile {
 public:
  // Reads its text; the error, invalid_token, says what is wrong with it, and never shows it.
  static Result<AuthFile> parse(std::string_view text);
  Secret text() const;

  // The sign-in of that server; null where there is none.
  const StoredAuth* find(const std::string& url) const;
  const std::map<std::string, StoredAuth>& servers() const { return servers_; }
  // The server last signed in to; empty where there is none.
  const std::string& last_server() const { return last_server_; }

  void put(const std::string& url, StoredAuth auth);
  // Where it was the last one, the one that is good for longest follows.
  void remove(const std::string& url);

 private:
  std::map<std::string, StoredAuth> servers_;
  std::string last_server_;
};

// Where the file is; invalid_request where neither XDG_CONFIG_HOME nor HOME says so.
Result<std::string> auth_path(const Io& io);

// Nothing stored where there is no file. The error says what mends it: insufficient_permissions for a file that is open
// to others or no regular one, invalid_token for a corrupt one.
Result<AuthFile> load_auth(const Io& io);

// Whether store_auth() would find a file that it may replace: asked before a sign-in is begun.
Result<void> check_auth(const Io& io);

// Adds or replaces the sign-in of a server, which is then the last one. A corrupt file is replaced.
Result<void> store_auth(const Io& io, const std::string& url, StoredAuth auth);

// Removes the sign-ins of these servers; the file too, when nothing is left.
Result<void> forget_auth(const Io& io, const std::vector<std::string>& urls);

// The stored token of a server, invalid_token where there is none or where it has expired by our own clock.
// `none` is what the error says where there is none.
Result<Secret> stored_token(const Io& io, const std::string& url, std::string none = "not authenticated");

}  // namespace leger
