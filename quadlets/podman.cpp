#include "quadlets/podman.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/text.h"
#include "quadlets/secret_driver.h"

namespace leger {
namespace {

constexpr const char* kBase = "http://d/v5.0.0/libpod";
constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::size_t kMostShown = 300;
constexpr std::string_view kWho = "Podman";
constexpr const char* kStartSocket = "Start Podman's API socket: systemctl --user enable --now podman.socket";
constexpr const char* kReadJournal = "See what Podman says: journalctl --user -u podman.service";

bool is_good(int status) { return status >= 200 && status < 300; }

// What Podman gives as the reason in its error answer, fit to be shown.
std::string reason(const HttpResponse& response) {
  const auto json = parse_reply(response.body, kWho, kMostBytes);
  const std::string message = json ? text_field(*json, "message").value_or("") : "";
  return escape_controls(std::string_view(message).substr(0, kMostShown));
}

Fail refused(const std::string& what, const HttpResponse& response) {
  const std::string why = reason(response);
  return Fail({Code::upstream_failed,
               "Podman refused to " + what + " with status " + std::to_string(response.status) +
                   (why.empty() ? "." : ": " + why),
               kReadJournal,
               {}});
}

Fail garbled(const std::string& what) {
  return Fail({Code::upstream_failed,
               "Podman's " + what + " cannot be understood.",
               "Check that Podman is 5.0 or later: podman version",
               {}});
}

// A good answer to a GET as a JSON list.
Result<Json> read_list(const HttpResponse& response, const std::string& what) {
  if (!is_good(response.status)) return refused("list its " + what, response);
  auto json = parse_reply(response.body, kWho, kMostBytes);
  if (!json) return garbled("list of " + what);
  if (json->is_null()) return Json(Json::array());
  if (!json->is_array()) return garbled("list of " + what);
  return json;
}

// The texts of an object of texts; Podman writes null for an empty one. Other values are passed over.
std::map<std::string, std::string> read_labels(const Json& object, const char* name) {
  std::map<std::string, std::string> labels;
  const auto field = object.find(name);
  if (field == object.end() || !field->is_object()) return labels;
  for (const auto& [key, value] : field->items()) {
    if (value.is_string()) labels.emplace(key, value.get<std::string>());
  }
  return labels;
}

std::optional<PodmanSecret> read_secret(const Json& json) {
  const auto id = text_field(json, "ID");
  const auto spec = json.is_object() ? json.find("Spec") : json.end();
  if (!id || spec == json.end()) return std::nullopt;
  auto name = text_field(*spec, "Name");
  if (!name) return std::nullopt;
  return PodmanSecret{*id, std::move(*name), read_labels(*spec, "Labels")};
}

// Whether the driver and its options are what is wanted.
bool is_driven_by(const Json& secret, const SecretDriver& wanted) {
  const auto driver = secret["Spec"].find("Driver");
  if (driver == secret["Spec"].end() || !driver->is_object()) return wanted.name == "file";
  const std::string name = text_field(*driver, "Name").value_or("file");
  // Podman's own driver has its folder among its options.
  return name == wanted.name && (name == "file" || read_labels(*driver, "Options") == wanted.options);
}

// `80`, or `80-82` of a range of three.
std::string port_text(std::int64_t first, std::int64_t count) {
  return count > 1 ? std::to_string(first) + "-" + std::to_string(first + count - 1) : std::to_string(first);
}

bool is_port(const std::optional<std::int64_t>& number) { return number && *number > 0 && *number < 65'536; }

std::vector<std::string> read_ports(const Json& container) {
  std::vector<std::string> ports;
  const auto field = container.find("Ports");
  if (field == container.end() || !field->is_array()) return ports;
  for (const Json& port : *field) {
    const auto host_port = integer_field(port, "host_port");
    const auto container_port = integer_field(port, "container_port");
    if (!is_port(host_port) || !is_port(container_port)) continue;
    const std::int64_t count = std::clamp<std::int64_t>(integer_field(port, "range").value_or(1), 1, 65'535);
    std::string address = text_field(port, "host_ip").value_or("");
    if (address.empty()) address = "0.0.0.0";
    if (address.find(':') != std::string::npos) address.insert(0, "[").append("]");
    ports.push_back(address + ":" + port_text(*host_port, count) + "->" + port_text(*container_port, count) + "/" +
                    text_field(port, "protocol").value_or("tcp"));
  }
  return ports;
}

std::optional<PodmanContainer> read_container(const Json& json) {
  PodmanContainer container;
  const auto id = text_field(json, "Id");
  const auto names = json.is_object() ? json.find("Names") : json.end();
  if (!id || names == json.end() || !names->is_array() || names->empty() || !names->front().is_string()) {
    return std::nullopt;
  }
  container.id = *id;
  container.name = names->front().get<std::string>();
  container.image = text_field(json, "Image").value_or("");
  container.state = text_field(json, "State").value_or("");
  container.unit = read_labels(json, "Labels")["PODMAN_SYSTEMD_UNIT"];
  // libpod's list has the health alone in Status, where the compatible API has a sentence.
  const std::string status = text_field(json, "Status").value_or("");
  constexpr std::array<std::string_view, 3> kHealth = {"healthy", "unhealthy", "starting"};
  if (std::ranges::find(kHealth, status) != kHealth.end()) container.health = status;
  container.ports = read_ports(json);
  container.pod = text_field(json, "PodName").value_or("");
  container.pod_id = text_field(json, "Pod").value_or("");
  return container;
}

std::optional<PodmanImage> read_image(const Json& json) {
  auto id = text_field(json, "Id");
  if (!id) return std::nullopt;
  PodmanImage image{.id = *std::move(id), .names = {}};
  for (const char* list : {"RepoTags", "RepoDigests"}) {
    const auto names = json.find(list);
    if (names == json.end() || !names->is_array()) continue;
    for (const Json& name : *names) {
      if (name.is_string()) image.names.push_back(name.get<std::string>());
    }
  }
  return image;
}

bool has_all(const std::map<std::string, std::string>& there, const std::map<std::string, std::string>& wanted) {
  return std::ranges::all_of(wanted, [&there](const auto& label) {
    const auto found = there.find(label.first);
    return found != there.end() && found->second == label.second;
  });
}

}  // namespace

PodmanApi::PodmanApi(HttpClient& http, std::string socket, std::uint64_t timeout_ms, SecretKeeper keeper)
    : http_(http), socket_(std::move(socket)), timeout_ms_(timeout_ms), keeper_(std::move(keeper)) {}

Task<Result<HttpResponse>> PodmanApi::call(std::string method, std::string path, std::optional<std::string> body) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = kBase + path;
  request.unix_socket = socket_;
  // libpod reads a form's body away before the secret is looked for; curl would call it a form.
  if (body) request.headers = {"Content-Type: application/octet-stream"};
  request.body = std::move(body);
  request.max_body_bytes = kMostBytes;
  request.connect_timeout_ms = timeout_ms_;
  request.timeout_ms = timeout_ms_;
  auto response = co_await http_.send(std::move(request));
  if (!response) {
    Error error = std::move(response.error());
    error.message = "Podman does not answer. " + error.message;
    error.action = kStartSocket;
    co_return Fail(std::move(error));
  }
  co_return response;
}

Task<Result<void>> PodmanApi::ping() {
  const auto response = co_await call("GET", "/_ping", std::nullopt);
  if (!response) co_return Fail(response.error());
  if (!is_good(response->status)) co_return refused("answer a ping", *response);
  co_return Result<void>();
}

Task<Result<std::vector<PodmanSecret>>> PodmanApi::secrets() {
  const auto response = co_await call("GET", "/secrets/json", std::nullopt);
  if (!response) co_return Fail(response.error());
  const auto list = read_list(*response, "secrets");
  if (!list) co_return Fail(list.error());
  std::vector<PodmanSecret> secrets;
  for (const Json& item : *list) {
    auto secret = read_secret(item);
    if (!secret) co_return garbled("list of secrets");
    secret->is_as_put = is_driven_by(item, driver_of(keeper_, secret->labels));
    secrets.push_back(std::move(*secret));
  }
  co_return secrets;
}

Task<Result<void>> PodmanApi::put_secret(std::string name, Secret value, std::map<std::string, std::string> labels) {
  const std::string what = "keep the secret \"" + escape_controls(name) + "\"";
  // Replacing is left to Podman's own driver alone. Where there is no secret of the name yet, Podman tells the shell
  // driver to delete the empty id, and then takes that for the beginning of another secret's id (5.4.2).
  if (!keeps_values()) {
    const auto removed = co_await remove_secret(name);
    if (!removed) co_return removed;
  }
  const std::string path = "/secrets/create?name=" + percent_encode(name) +
                           "&labels=" + percent_encode(dump(Json(labels))) + query_of(driver_of(keeper_, labels));
  // On the heap whatever its length, so that moving it leaves no copy behind; the HTTP client wipes it.
  std::string body;
  body.reserve(std::max<std::size_t>(value.reveal().size(), 64));
  body = value.reveal();
  const auto response = co_await call("POST", path, std::move(body));
  if (!response) co_return Fail(response.error());
  if (!is_good(response->status)) {
    // Its words are not passed on: they might repeat what it was sent.
    co_return Fail({Code::upstream_failed,
                    "Podman refused to " + what + " with status " + std::to_string(response->status) + ".",
                    kReadJournal,
                    {}});
  }
  const auto made = co_await inspect("/secrets/" + percent_encode(name) + "/json", name, "Name");
  if (!made) co_return Fail(made.error());
  const auto secret = read_secret(*made);
  if (!secret || !has_all(secret->labels, labels)) {
    co_return Fail({Code::upstream_failed, "Podman did not " + what + " with its labels.", kReadJournal, {}});
  }
  co_return Result<void>();
}

// A secret has its name one level deeper than a network or volume.
Task<Result<Json>> PodmanApi::inspect(std::string path, std::string name, std::string name_field) {
  const auto response = co_await call("GET", path, std::nullopt);
  if (!response) co_return Fail(response.error());
  if (response->status == 404) co_return Json(nullptr);
  if (!is_good(response->status)) co_return refused("show \"" + escape_controls(name) + "\"", *response);
  auto json = parse_reply(response->body, kWho, kMostBytes);
  if (!json || !json->is_object()) co_return garbled("answer about \"" + escape_controls(name) + "\"");
  const auto spec = json->find("Spec");
  const auto found = text_field(spec == json->end() ? *json : *spec, name_field.c_str());
  if (!found) co_return garbled("answer about \"" + escape_controls(name) + "\"");
  if (*found != name) co_return Json(nullptr);
  co_return std::move(*json);
}

Task<Result<void>> PodmanApi::remove(std::string kind, std::string name, std::string name_field) {
  const std::string path = "/" + kind + "/" + percent_encode(name);
  const auto there = co_await inspect(path + "/json", name, std::move(name_field));
  if (!there) co_return Fail(there.error());
  if (there->is_null()) co_return Result<void>();
  const auto response = co_await call("DELETE", path, std::nullopt);
  if (!response) co_return Fail(response.error());
  if (is_good(response->status) || response->status == 404) co_return Result<void>();
  co_return refused("remove \"" + escape_controls(name) + "\" from its " + kind, *response);
}

Task<Result<void>> PodmanApi::remove_secret(std::string name) { return remove("secrets", std::move(name), "Name"); }

Task<Result<void>> PodmanApi::remove_network(std::string name) { return remove("networks", std::move(name), "name"); }

Task<Result<void>> PodmanApi::remove_volume(std::string name) { return remove("volumes", std::move(name), "Name"); }

Task<Result<std::vector<PodmanObject>>> PodmanApi::objects(std::string kind, std::string name_field,
                                                           std::string time_field) {
  const auto response = co_await call("GET", "/" + kind + "/json", std::nullopt);
  if (!response) co_return Fail(response.error());
  const auto list = read_list(*response, kind);
  if (!list) co_return Fail(list.error());
  std::vector<PodmanObject> objects;
  for (const Json& item : *list) {
    auto name = text_field(item, name_field.c_str());
    if (!name) co_return garbled("list of " + kind);
    objects.push_back(
        {.name = *std::move(name), .made_at = parse_rfc3339(text_field(item, time_field.c_str()).value_or(""))});
  }
  co_return objects;
}

Task<Result<std::vector<PodmanObject>>> PodmanApi::list_networks() { return objects("networks", "name", "created"); }

Task<Result<std::vector<PodmanObject>>> PodmanApi::list_volumes() { return objects("volumes", "Name", "CreatedAt"); }

Task<Result<std::vector<PodmanContainer>>> PodmanApi::containers() {
  const auto response = co_await call("GET", "/containers/json?all=true&pod=true", std::nullopt);
  if (!response) co_return Fail(response.error());
  const auto list = read_list(*response, "containers");
  if (!list) co_return Fail(list.error());
  std::vector<PodmanContainer> containers;
  for (const Json& item : *list) {
    auto container = read_container(item);
    if (!container) co_return garbled("list of containers");
    containers.push_back(std::move(*container));
  }
  co_return containers;
}

Task<Result<std::vector<PodmanImage>>> PodmanApi::images() {
  const auto response = co_await call("GET", "/images/json", std::nullopt);
  if (!response) co_return Fail(response.error());
  const auto list = read_list(*response, "images");
  if (!list) co_return Fail(list.error());
  std::vector<PodmanImage> images;
  for (const Json& item : *list) {
    auto image = read_image(item);
    if (!image) co_return garbled("list of images");
    images.push_back(std::move(*image));
  }
  co_return images;
}

}  // namespace leger
