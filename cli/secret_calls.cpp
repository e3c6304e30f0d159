#include "cli/secret_calls.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "cli/output.h"

namespace leger {
namespace {

constexpr std::size_t kPage = 10'000;                     // secrets in one answer, which are about a megabyte
constexpr std::string_view kShortEscapes = "\b\t\n\f\r";  // of JSON, two bytes each

// Text that JSON makes at most twice as long, so that the longest value still fits into a body that legerd takes.
bool travels_as_text(std::string_view value) {
  return is_utf8(value) && std::ranges::none_of(value, [](char c) {
           return static_cast<unsigned char>(c) < ' ' && !kShortEscapes.contains(c);
         });
}

}  // namespace

const char* const kSecretNameRule =
    "Use 1 to 64 letters, digits, dots, colons, dashes and underscores, beginning with a letter, digit or "
    "underscore, and not list, set, get or sync.";

std::optional<Error> unusable(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && !name.contains('/')) return std::nullopt;
  return Error{Code::invalid_secret_name, in_quotes(name) + " is no name for a secret.", kSecretNameRule, {}};
}

Error with_seed_text(Error error, const std::string& name) {
  if (error.code == Code::invalid_secret_name && error.action.empty()) error.action = kSecretNameRule;
  if (error.code != Code::secret_not_found) return error;
  error.message = "Secret " + in_quotes(name) + " not found";
  error.action = "List available secrets:\n  leger secrets list\n\nCreate secret:\n  leger secrets set " +
                 escape_controls(name) + " <value>";
  return error;
}

Error with_version_text(Error error, const std::string& name, std::uint64_t version) {
  if (error.code != Code::secret_not_found) return with_seed_text(std::move(error), name);
  error.message = "Version " + std::to_string(version) + " of secret " + in_quotes(name) + " not found";
  error.action = "List the versions that are kept:\n  leger secrets history " + escape_controls(name);
  return error;
}

std::string& put_value(Json& object, const Secret& value) {
  const bool text = travels_as_text(value.reveal());
  Json& field = object[text ? "value" : "value_base64"];
  field = text ? std::string(value.reveal()) : base64_encode(value.reveal());
  return field.get_ref<std::string&>();
}

Result<Json> put_secret(ApiClient& api, const std::string& name, const Secret& value,
                        std::optional<std::uint64_t> if_version) {
  Json body{{"name", name}};
  if (if_version) body["if_version"] = *if_version;
  std::string& field = put_value(body, value);
  ApiRequest request{
      .method = "POST", .path = "/api/secrets/set", .content_type = "application/json", .body = Secret(dump(body))};
  wipe(field);
  auto answer = api.send(std::move(request));
  if (!answer) return Fail(with_seed_text(answer.error(), name));
  if (!text_field(answer->data, "message")) return Fail(api.garbled("it does not say what became of the secret"));
  return std::move(answer->data);
}

Result<Json> fetch_secret_list(ApiClient& api) {
  const std::string path = "/api/secrets/list?limit=" + std::to_string(kPage);
  std::string last;
  Json all = Json::array();
  for (;;) {
    auto data = api.get(path + (last.empty() ? "" : "&after=" + percent_encode(last)));
    if (!data) return Fail(data.error());
    const auto page = data->find("secrets");
    if (page == data->end() || !page->is_array()) return Fail(api.garbled("it sends no list of secrets"));
    const std::size_t count = page->size();
    for (Json& secret : *page) all.push_back(std::move(secret));
    if (count < kPage) {
      *page = std::move(all);
      return data;
    }
    auto name = text_field(all.back(), "name");
    if (!name || *name <= last) return Fail(api.garbled("its list of secrets is not in order"));
    last = *std::move(name);
  }
}

Result<Json> fetch_secret(ApiClient& api, const std::string& name, std::optional<std::uint64_t> version) {
  const std::string query = version ? "?version=" + std::to_string(*version) : "";
  auto data = api.get("/api/secrets/get/" + percent_encode(name) + query);
  if (!data && version) return Fail(with_version_text(data.error(), name, *version));
  if (!data) return Fail(with_seed_text(data.error(), name));
  return data;
}

Result<Secret> take_value(const ApiClient& api, Json& data) {
  for (const char* name : {"value", "value_base64"}) {
    const auto field = data.is_object() ? data.find(name) : data.end();
    if (field == data.end() || !field->is_string()) continue;
    auto& text = field->get_ref<std::string&>();
    Secret value(text);
    wipe(text);
    if (std::string_view(name) == "value") return value;
    auto decoded = base64_decode(value.reveal());
    if (!decoded) break;
    Secret bytes(*decoded);
    wipe(*decoded);
    return bytes;
  }
  return Fail(api.garbled("it sends no value"));
}

}  // namespace leger
