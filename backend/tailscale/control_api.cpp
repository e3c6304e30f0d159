#include "backend/tailscale/control_api.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/file_handle.h"
#include "backend/base/json.h"
#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "backend/tailscale/fields.h"
#include "backend/tailscale/ip.h"

namespace leger {
namespace {

constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::uint64_t kPatienceMs = 5'000;
constexpr std::size_t kMostKeyBytes = 4096;
constexpr const char* kWho = "The control API";

Fail bad_key(const std::string& path, const std::string& what, std::string action) {
  return Fail(
      {Code::unavailable, "The key file of the control API, " + path + ", " + what + ".", std::move(action), {}});
}

// Nothing but what a header can carry: an odd byte in a key would be a header of its own.
bool is_key(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// `Authorization: Bearer KEY`, with the key that stands in the file now.
Result<std::string> authorization(const std::string& path) {
  const std::string replace =
      "Put an API access token of the admin console there:\n  https://login.tailscale.com/admin/settings/keys";
  // O_NONBLOCK: a FIFO in the key's place does not hold the loop.
  const FileHandle file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ELOOP) return bad_key(path, "is a symbolic link", replace);
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) {
    return bad_key(path, "cannot be read", replace);
  }
  if (!S_ISREG(status.st_mode)) return bad_key(path, "is not a regular file", replace);
  if ((status.st_mode & 0077) != 0) return bad_key(path, "is open to others", "chmod 600 " + path);
  Secret bytes(std::string(kMostKeyBytes + 1, '\0'));
  const ssize_t count = read(file.get(), bytes.buffer().data(), bytes.buffer().size());
  if (count < 0) return bad_key(path, "cannot be read", replace);
  if (static_cast<std::size_t>(count) > kMostKeyBytes) return bad_key(path, "is longer than 4 KiB", replace);
  const std::string_view key = trimmed(bytes.reveal().substr(0, static_cast<std::size_t>(count)));
  if (!is_key(key)) return bad_key(path, "holds no key", replace);
  std::string header;
  header.reserve(kMostKeyBytes + 64);  // so that it never moves and leaves a part of the key behind
  header.append("Authorization: Bearer ").append(key);
  return header;
}

// `expires` is kept by the control server also where it does not count (keyExpiryDisabled). Without a time that can be
// read nobody knows how long the key is good: then it is good no longer.
bool is_expired(Fields& fields, std::int64_t now) {
  const bool never = fields.flag("keyExpiryDisabled");
  const auto expiry = parse_rfc3339(fields.text_if_there("expires"));
  return !never && (!expiry || *expiry <= now);
}

// One entry of the list; nothing for one that lacks what a device is known by, or has it in another form.
std::optional<Device> read_device(const Json& entry, std::int64_t now) {
  std::string problem;
  Fields fields(entry, "", problem);
  Device device;
  device.id = fields.id("id");
  device.node_id = fields.text_if_there("nodeId");
  device.user = fields.id("user");
  device.name = fields.text_if_there("name");
  if (device.name.ends_with('.')) device.name.pop_back();
  device.hostname = fields.text_if_there("hostname");
  for (const std::string& text : fields.texts("addresses")) {
    if (auto ip = canonical_ip(text)) device.addresses.push_back(*std::move(ip));
  }
  device.tags = fields.texts("tags");
  device.is_authorized = fields.flag("authorized");
  device.is_external = fields.flag("isExternal") || !fields.has("isExternal");
  device.is_expired = is_expired(fields, now);
  if (!problem.empty() || device.addresses.empty()) return std::nullopt;
  return device;
}

Fail unavailable(const std::string& what, std::string action) {
  return Fail({Code::unavailable, kWho + (" " + what), std::move(action), {}});
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<std::vector<Device>> read_devices(const HttpResponse& response, std::int64_t now) {
  const auto reply = parse_reply(response.body, kWho, kMostBytes);
  const std::string action = "Check tailscale.api_url in legerd.toml.";
  if (!reply || !reply->is_object()) return unavailable("sent an answer that is not its JSON.", action);
  const auto list = reply->find("devices");
  if (list == reply->end() || !list->is_array()) return unavailable("sent an answer without devices.", action);
  std::vector<Device> devices;
  for (const Json& entry : *list) {
    // An odd one can match nobody, and keeps nobody out either.
    if (auto device = read_device(entry, now)) devices.push_back(*std::move(device));
  }
  return devices;
}

}  // namespace

ControlApi::ControlApi(HttpClient& http, ControlApiSettings settings) : http_(http), settings_(std::move(settings)) {}

Task<Result<std::vector<Device>>> ControlApi::devices(std::int64_t now) {
  auto header = authorization(settings_.key_file);
  if (!header) co_return Fail(header.error());
  HttpRequest request;
  request.url = without_slash(settings_.url) + "/api/v2/tailnet/" + percent_encode(settings_.tailnet) + "/devices";
  request.headers.push_back(*std::move(header));  // the HTTP client wipes it
  request.max_body_bytes = kMostBytes;
  request.connect_timeout_ms = kPatienceMs;
  request.timeout_ms = kPatienceMs;
  const auto response = co_await http_.send(std::move(request));
  if (!response) {
    co_return unavailable("does not answer. " + response.error().message, "Check the network of this host.");
  }
  if (response->status == 401 || response->status == 403) {
    co_return unavailable("refuses the key of " + settings_.key_file + ".",
                          "Make a new API access token and put it there:\n"
                          "  https://login.tailscale.com/admin/settings/keys");
  }
  if (response->status != 200) {
    co_return unavailable("answers with status " + std::to_string(response->status) + ".",
                          "Check the tailnet's name and the address of the control API in legerd.toml.");
  }
  co_return read_devices(*response, now);
}

Result<Device> device_at(const std::vector<Device>& devices, const std::string& ip) {
  const Fail not_found({Code::tailscale_verification_failed,
                        "Device not found in tailnet",
                        "Check Tailscale status: tailscale status",
                        {}});
  const auto address = canonical_ip(ip);
  if (!address) return not_found;
  const auto holds = [&address](const Device& device) {
    return std::ranges::find(device.addresses, *address) != device.addresses.end();
  };
  // An address that two claim says nothing about either.
  if (std::ranges::count_if(devices, holds) != 1) return not_found;
  const Device& device = *std::ranges::find_if(devices, holds);
  const bool is_persons = device.is_authorized && !device.is_external && !device.is_expired && device.tags.empty();
  if (!is_persons) return not_found;
  return device;
}

}  // namespace leger
