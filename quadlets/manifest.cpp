#include "quadlets/manifest.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "quadlets/bundle_paths.h"

namespace leger {
namespace {

constexpr const char* kAction = "Mend manifest.json, then pack the bundle again.";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

Fail refused(const std::string& why) { return Fail({Code::invalid_bundle, "manifest.json " + why + ".", kAction, {}}); }

Fail wrong(std::string_view field, std::string_view why) {
  return refused("is refused: \"" + std::string(field) + "\" " + std::string(why));
}

// A list of texts; an absent one is empty where `needed` is false.
enum class Need { required, optional };
Result<std::vector<std::string>> text_list(const Json& object, const char* name, Need need) {
  const auto field = object.find(name);
  if (field == object.end()) {
    if (need == Need::required) return wrong(name, "is missing");
    return std::vector<std::string>();
  }
  if (!field->is_array()) return wrong(name, "must be a list of texts");
  std::vector<std::string> texts;
  for (const Json& item : *field) {
    if (!item.is_string()) return wrong(name, "must be a list of texts");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<std::vector<std::string>> read_files(const Json& object) {
  auto listed = text_list(object, "files", Need::required);
  if (!listed) return listed;
  std::set<std::string> seen;
  for (std::string& file : *listed) {
    auto path = clean_path(file, {});
    if (path && path->empty()) path = std::unexpected("names no file");
    if (!path) return wrong("files", "lists \"" + shown(file) + "\", which " + path.error());
    if (!seen.insert(*path).second) return wrong("files", "lists \"" + shown(file) + "\" twice");
    file = std::move(*path);
  }
  return listed;
}

Result<std::vector<std::string>> read_secrets(const Json& object) {
  auto names = text_list(object, "secrets_required", Need::optional);
  if (!names) return names;
  for (const std::string& name : *names) {
    if (!is_secret_name(name))
      return wrong("secrets_required", "has \"" + shown(name) + "\", which is no secret's name");
  }
  return names;
}

// A text field of a service; empty where it is absent or null, nothing where it is of another type.
std::optional<std::string> service_text(const Json& service, const char* name) {
  const auto field = service.find(name);
  if (field == service.end() || field->is_null()) return std::string();
  return text_field(service, name);
}

Result<std::vector<ManifestService>> read_services(const Json& object) {
  std::vector<ManifestService> services;
  const auto field = object.find("services");
  if (field == object.end()) return services;
  if (!field->is_array()) return wrong("services", "must be a list of objects");
  for (const Json& item : *field) {
    if (!item.is_object()) return wrong("services", "must be a list of objects");
    auto name = text_field(item, "name");
    auto type = service_text(item, "type");
    auto image = service_text(item, "image");
    if (!name || name->empty()) return wrong("services", "has one without a \"name\"");
    if (!type || !image) return wrong("services", "has \"" + shown(*name) + "\", whose type or image is no text");
    services.push_back({std::move(*name), std::move(*type), std::move(*image)});
  }
  return services;
}

}  // namespace

bool is_deployment_name(std::string_view name) {
  const auto inner = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  if (name.empty() || name.size() > 63 || name == "latest") return false;
  if (!is_lower(name.front()) && !is_digit(name.front())) return false;
  return std::ranges::all_of(name, inner) && !std::ranges::all_of(name, is_digit);
}

bool is_quadlet(std::string_view path) {
  constexpr std::array<std::string_view, 8> kEndings = {".container", ".volume", ".network", ".pod",
                                                        ".kube",      ".image",  ".build",   ".artifact"};
  return std::ranges::any_of(kEndings, [path](std::string_view ending) { return path.ends_with(ending); });
}

bool is_secret_name(std::string_view name) {
  const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == ':' || c == '-'; };
  constexpr std::array<std::string_view, 4> kRoutes = {"list", "set", "get", "sync"};
  if (name.empty() || name.size() > 64 || std::ranges::find(kRoutes, name) != kRoutes.end()) return false;
  const char first = name.front();
  return (is_letter(first) || is_digit(first) || first == '_') && std::ranges::all_of(name, inner);
}

Result<Manifest> parse_manifest(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return refused("cannot be read (" + escape_controls(json.error().message) + ")");
  if (!json->is_object()) return refused("is no JSON object");
  Manifest manifest;
  const auto name = text_field(*json, "deployment_name");
  if (!name) return wrong("deployment_name", "is missing or no text");
  if (!is_deployment_name(*name)) {
    return wrong("deployment_name", "is \"" + shown(*name) +
                                        "\"; a name is 1 to 63 of a-z 0-9 _ -, starts with a letter or digit, and is "
                                        "neither digits only nor \"latest\"");
  }
  manifest.deployment_name = *name;
  auto files = read_files(*json);
  if (!files) return Fail(files.error());
  auto services = read_services(*json);
  if (!services) return Fail(services.error());
  auto secrets = read_secrets(*json);
  if (!secrets) return Fail(secrets.error());
  manifest.files = std::move(*files);
  manifest.services = std::move(*services);
  manifest.secrets_required = std::move(*secrets);
  return manifest;
}

}  // namespace leger
