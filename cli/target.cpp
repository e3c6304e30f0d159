#include "cli/target.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "cli/auth_file.h"
#include "cli/output.h"

namespace leger {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr const char* kSignInSomewhere = "Sign in again, which replaces it:\n  leger --server https://HOST auth login";
constexpr std::string_view kServerForms = "Write it as https://HOST, http://127.0.0.1:8787 or unix:PATH.";

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

// A part of a URL, empty where it has none.
std::string part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, 0) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
  return owned.get();
}

bool has_part(const Url& url, CURLUPart part) { return !part_of(url, part).empty(); }

Fail wrong(const std::string& origin, const std::string& text, std::string_view why) {
  return Fail(
      {Code::invalid_request, origin + " " + in_quotes(text) + " " + std::string(why), std::string(kServerForms), {}});
}

Result<Target> socket_target(const std::string& path, const std::string& origin) {
  if (path.empty()) {
    return Fail({Code::invalid_request, origin + " names no path.", "Give the path of legerd's socket.", {}});
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail({Code::invalid_request,
                 origin + " names a path that is too long for a Unix socket: " + in_quotes(path),
                 "Use a path of at most " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes.",
                 {}});
  }
  return Target{path, "http://localhost"};
}

Result<std::vector<std::string>> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = getaddrinfo(host.c_str(), nullptr, &hints, &found); problem != 0) {
    return Fail({Code::unavailable,
                 "The host " + in_quotes(host) + " cannot be resolved: " + gai_strerror(problem),
                 "Check the name, and that you are connected: tailscale status",
                 {}});
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text.data());
    }
  }
  return addresses;
}

// Where neither flag nor variable names one.
Result<Target> default_target(const Io& io) {
  const auto folder = io.variable("XDG_RUNTIME_DIR");
  const std::string path = folder.value_or("$XDG_RUNTIME_DIR") + "/leger/legerd.sock";
  struct stat status{};
  if (folder && stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) return socket_target(path, "The default");
  const auto file = load_auth(io);
  if (!file && file.error().code != Code::unavailable) {
    Error error = file.error();
    if (error.code == Code::invalid_token) error.action = kSignInSomewhere;  // which server it was is not known
    return Fail(std::move(error));
  }
  if (file && !file->last_server().empty()) return parse_target(file->last_server(), "The server in auth.json");
  const std::string why = folder ? "there is no socket " + in_quotes(path) : "XDG_RUNTIME_DIR is not set";
  return Fail({Code::unavailable,
               "No legerd was found: " + why + ".",
               "Is legerd running on this machine? Start it:\n  systemctl --user start legerd.socket\n\n"
               "Or name one elsewhere:\n  leger --server https://HOST COMMAND",
               {}});
}

}  // namespace

Result<Target> parse_target(const std::string& text, const std::string& origin) {
  if (text.starts_with(kUnixPrefix)) return socket_target(text.substr(kUnixPrefix.size()), origin);
  const Url url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return wrong(origin, text, "is not a URL.");
  const std::string scheme = ascii_lower(part_of(url, CURLUPART_SCHEME));
  if (scheme != "http" && scheme != "https") return wrong(origin, text, "is neither http:// nor https://.");
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    if (has_part(url, part)) return wrong(origin, text, "has more than a host, a port and a path.");
  }
  std::string port = part_of(url, CURLUPART_PORT);
  if (port == (scheme == "https" ? "443" : "80")) port.clear();
  std::string path = part_of(url, CURLUPART_PATH);
  while (path.ends_with('/')) path.pop_back();
  if (path.ends_with("/api")) path.resize(path.size() - 4);
  while (path.ends_with('/')) path.pop_back();
  const std::string authority = ascii_lower(part_of(url, CURLUPART_HOST)) + (port.empty() ? "" : ":" + port);
  return Target{"", scheme + "://" + authority + path};
}

Result<Target> find_target(const ServerFlags& flags, const Io& io) {
  if (flags.server && flags.socket) {
    return Fail({Code::invalid_request, "--server and --socket exclude each other.", "Give one of them.", {}});
  }
  if (flags.socket) return socket_target(*flags.socket, "--socket");
  if (flags.server) return parse_target(*flags.server, "--server");
  if (const auto url = io.variable("LEGER_API_URL")) return parse_target(*url, "LEGER_API_URL");
  return default_target(io);
}

Result<void> check_target(const Target& target) {
  if (target.is_socket() || !target.url.starts_with("http:")) return {};
  const Url url(curl_url(), curl_url_cleanup);
  curl_url_set(url.get(), CURLUPART_URL, target.url.c_str(), 0);
  std::string host = part_of(url, CURLUPART_HOST);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto addresses = resolve(host);
  if (!addresses) return Fail(addresses.error());
  return check_plain_addresses(host, *addresses);
}

bool may_be_plain(const in_addr& address) {
  const std::uint32_t bits = ntohl(address.s_addr);
  return (bits >> 24) == 127 || (bits >> 22) == ((100U << 2) | 1);  // 127.0.0.0/8, 100.64.0.0/10
}

bool may_be_plain(const in6_addr& address) {
  constexpr std::array<std::uint8_t, 6> kTailnet{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0};
  if (IN6_IS_ADDR_LOOPBACK(&address)) return true;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr mapped{};
    std::memcpy(&mapped, &address.s6_addr[12], sizeof mapped);
    return may_be_plain(mapped);
  }
  return std::equal(kTailnet.begin(), kTailnet.end(), std::begin(address.s6_addr));
}

Result<void> check_plain_addresses(const std::string& host, const std::vector<std::string>& addresses) {
  const auto fine = [](const std::string& text) {
    in_addr four{};
    if (inet_pton(AF_INET, text.c_str(), &four) == 1) return may_be_plain(four);
    in6_addr six{};
    return inet_pton(AF_INET6, text.c_str(), &six) == 1 && may_be_plain(six);
  };
  const auto stranger = std::ranges::find_if_not(addresses, fine);
  if (!addresses.empty() && stranger == addresses.end()) return {};
  const std::string at = addresses.empty() ? "no address" : *stranger;
  return Fail(
      {Code::insufficient_permissions,
       "Plain http:// to " + in_quotes(host) + " (" + at +
           ") is refused: it is neither this machine nor of the tailnet, and anyone on the way could read along.",
       "Use https://, or the host's tailnet address.",
       {}});
}

}  // namespace leger
