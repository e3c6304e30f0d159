#include "cli/deploy.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "cli/follow.h"
#include "cli/releases.h"
#include "cli/status.h"

namespace leger {
namespace {

// What `NAME@VERSION` and its short forms say.
struct ReleaseChoice {
  std::string name;                      // empty: of any app
  std::optional<std::uint64_t> version;  // nothing: the newest
};

std::optional<ReleaseChoice> parse_choice(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t at = text.find('@');
  ReleaseChoice choice;
  if (at != std::string::npos) choice.name = text.substr(0, at);
  if (at == std::string::npos && !digits && text != "latest") choice.name = text;
  if (at == 0 || (choice.name.empty() && !digits && text != "latest")) return std::nullopt;
  const std::string version = at == std::string::npos ? (digits ? text : "latest") : text.substr(at + 1);
  if (version == "latest") return choice;
  choice.version = parse_number(version);
  if (choice.version.value_or(0) == 0) return std::nullopt;
  return choice;
}

// The version that is meant, as legerd has it.
Result<std::int64_t> resolve(ApiClient& api, const ReleaseChoice& choice) {
  const std::string which = choice.version ? std::to_string(*choice.version) : "latest";
  const bool by_name = !choice.version && !choice.name.empty();
  auto release = api.get("/api/releases/" + which + (by_name ? "?name=" + percent_encode(choice.name) : ""));
  if (!release) return Fail(with_upload_hint(release.error()));
  const auto version = integer_field(*release, "version");
  if (!version) return Fail(api.garbled("it names no version"));
  const std::string name = text_field(*release, "deployment_name").value_or("");
  if (!choice.name.empty() && name != choice.name) {
    return Fail({Code::release_not_found,
                 "Release " + which + " is of " + in_quotes(name) + ", not of " + in_quotes(choice.name) + ".",
                 "List the releases of the app:\n  leger releases list --name " + escape_controls(choice.name),
                 {}});
  }
  return *version;
}

void print_ports(const Context& context, const std::string& app) {
  const auto data = fetch_services(context.api);
  if (!data) return;  // the app is deployed; where it listens is only a service to the reader
  for (const Json& service : (*data)["services"]) {
    const auto ports = service.find("ports");
    if (text_field(service, "app") != app || ports == service.end() || !ports->is_array()) continue;
    for (const Json& port : *ports) {
      if (port.is_string()) context.output.line("  " + shown(service, "name") + ": " + port.get<std::string>());
    }
  }
}

// The end of what an accepted request started: legerd's answer to it has the id.
Result<Json> await_end(const Context& context, const Result<Json>& accepted) {
  if (!accepted) return Fail(accepted.error());
  const auto id = text_field(*accepted, "id");
  if (!id || id->empty()) return Fail(context.api.garbled("it names no deployment"));
  auto deployment = follow_deployment(context, *id);
  if (!deployment) return deployment;
  context.output.data(*deployment);
  const auto verdict = judge_deployment(*deployment);
  if (!verdict) return Fail(verdict.error());
  return deployment;
}

// The one app that is deployed; the error is deployment_not_found for none, confirmation_required for several.
Result<std::string> only_app(ApiClient& api) {
  const auto data = fetch_services(api);
  if (!data) return Fail(data.error());
  std::set<std::string> apps;
  for (const Json& service : (*data)["services"]) {
    if (auto app = text_field(service, "app"); app && !app->empty()) apps.insert(*std::move(app));
  }
  if (apps.empty()) {
    return Fail({Code::deployment_not_found, "Nothing is deployed.", "See what is:\n  leger status", {}});
  }
  if (apps.size() == 1) return *apps.begin();
  std::string names;
  for (const std::string& app : apps) names += (names.empty() ? "" : ", ") + escape_controls(app);
  return Fail({Code::confirmation_required,
               "Several apps are deployed: " + names + ".",
               "Name the one to remove:\n  leger deploy remove " + escape_controls(*apps.begin()),
               {}});
}

}  // namespace

int install(const Context& context, const std::string& release) {
  Output& output = context.output;
  const auto choice = parse_choice(release);
  if (!choice) {
    return output.usage({Code::invalid_request,
                         in_quotes(release) + " names no release.",
                         "Give a version, latest, NAME or NAME@VERSION:\n  leger releases list",
                         {}});
  }
  const auto version = resolve(context.api, *choice);
  if (!version) return output.fail(version.error());
  const auto deployment = await_end(context, context.api.post("/api/deployments", Json{{"version", *version}}));
  if (!deployment) return output.fail(deployment.error());
  output.success(shown(*deployment, "name") + " v" + shown(*deployment, "version") + " deployed");
  if (!output.is_json()) print_ports(context, text_field(*deployment, "name").value_or(""));
  return kDone;
}

int list_deployments(const Context& context) {
  Output& output = context.output;
  const auto data = context.api.get("/api/deployments");
  if (!data) return output.fail(data.error());
  const auto deployments = data->find("deployments");
  if (deployments == data->end() || !deployments->is_array()) {
    return output.fail(context.api.garbled("it sends no list of deployments"));
  }
  output.data(*data);
  if (deployments->empty()) {
    output.line("No deployments\n\nDeploy a release with: leger deploy install");
    return kDone;
  }
  std::vector<Row> rows{
      {Cell("Name"), Cell("Version"), Cell("Kind"), Cell("State"), Cell("Started"), Cell("Ended"), Cell("ID")}};
  for (const Json& deployment : *deployments) {
    rows.push_back({shown(deployment, "name"), shown(deployment, "version"), shown(deployment, "kind"),
                    shown(deployment, "state"), shown(deployment, "created_at"), shown(deployment, "finished_at"),
                    shown(deployment, "id")});
  }
  output.table(rows);
  output.line("\nTotal: " + shown(*data, "total_count") + " deployments");
  return kDone;
}

int remove_app(const Context& context, const RemoveOptions& options) {
  Output& output = context.output;
  std::string name = options.name;
  if (name.empty()) {
    auto only = only_app(context.api);
    if (!only && only.error().code == Code::confirmation_required) return output.usage(only.error());
    if (!only) return output.fail(only.error());
    name = *std::move(only);
  }
  if (options.volumes && !options.yes) {
    const auto exit = output.unless_confirmed("Remove " + in_quotes(name) + " and delete its volumes?", "--yes");
    if (exit) return *exit;
  }
  const std::string query = options.volumes ? "?volumes=true" : "";
  const auto deployment = await_end(context, context.api.remove("/api/deployments/" + percent_encode(name) + query));
  if (!deployment) return output.fail(deployment.error());
  output.success(escape_controls(name) + " removed");
  output.line(options.volumes ? "  Its volumes are deleted; its releases are kept."
                              : "  Its volumes and releases are kept.");
  return kDone;
}

}  // namespace leger
