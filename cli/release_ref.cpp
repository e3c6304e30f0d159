#include "cli/release_ref.h"

#include <utility>

#include "backend/base/text.h"
#include "cli/output.h"
#include "cli/releases.h"

namespace leger {
namespace {

std::optional<ReleaseRef> parse(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t at = text.find('@');
  ReleaseRef ref;
  if (at != std::string::npos) ref.name = text.substr(0, at);
  if (at == std::string::npos && !digits && text != "latest") ref.name = text;
  if (at == 0 || (ref.name.empty() && !digits && text != "latest")) return std::nullopt;
  const std::string version = at == std::string::npos ? (digits ? text : "latest") : text.substr(at + 1);
  if (version == "latest") return ref;
  ref.version = parse_number(version);
  if (ref.version.value_or(0) == 0) return std::nullopt;
  return ref;
}

}  // namespace

Result<ReleaseRef> parse_release_ref(const std::string& text) {
  auto ref = parse(text);
  if (ref) return *std::move(ref);
  return Fail({Code::invalid_request,
               in_quotes(text) + " names no release.",
               "Give a version, latest, NAME or NAME@VERSION:\n  leger releases list",
               {}});
}

std::string FoundRelease::title() const { return escape_controls(name) + " v" + std::to_string(version); }

Result<FoundRelease> find_release(ApiClient& api, const ReleaseRef& ref) {
  const std::string which = ref.version ? std::to_string(*ref.version) : "latest";
  const bool by_name = !ref.version && !ref.name.empty();
  auto data = api.get("/api/releases/" + which + (by_name ? "?name=" + percent_encode(ref.name) : ""));
  if (!data) return Fail(with_upload_hint(data.error()));
  const auto version = integer_field(*data, "version");
  if (!version) return Fail(api.garbled("it names no version"));
  std::string name = text_field(*data, "deployment_name").value_or("");
  if (!ref.name.empty() && name != ref.name) {
    return Fail({Code::release_not_found,
                 "Release " + which + " is of " + in_quotes(name) + ", not of " + in_quotes(ref.name) + ".",
                 "List the releases of the app:\n  leger releases list --name " + escape_controls(ref.name),
                 {}});
  }
  return FoundRelease{*version, std::move(name), *std::move(data)};
}

}  // namespace leger
