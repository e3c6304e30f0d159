#include "cli/deploy.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "backend/base/text.h"
#include "cli/follow.h"
#include "cli/release_ref.h"
#include "cli/status.h"

namespace leger {
namespace {

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

}  // namespace

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

Result<std::string> only_app(ApiClient& api, const std::string& verb) {
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
               "Name the one to " + verb + ":\n  leger deploy " + verb + " " + escape_controls(*apps.begin()),
               {}});
}

int install_release(const Context& context, const DeployOptions& options) {
  Output& output = context.output;
  const auto ref = parse_release_ref(options.release);
  if (!ref) return output.usage(ref.error());
  const auto found = find_release(context.api, *ref);
  if (!found) return output.fail(found.error());
  const auto plan = fetch_plan(context, *found);
  if (!plan) return output.fail(plan.error());
  if (options.dry_run) return show_plan(context, *found, *plan);
  const auto agreed = agree_to_plan(context, *found, *plan, options);
  if (const int* exit = std::get_if<int>(&agreed)) return *exit;
  const auto deployment =
      await_end(context, context.api.post("/api/deployments", std::get<Json>(agreed), kStartExtraMs));
  if (!deployment) return output.fail(deployment.error());
  output.success(shown(*deployment, "name") + " v" + shown(*deployment, "version") + " deployed");
  if (!output.is_json()) print_ports(context, text_field(*deployment, "name").value_or(""));
  return kDone;
}

int update_app(const Context& context, DeployOptions options) {
  Output& output = context.output;
  if (options.release.empty()) {
    auto only = only_app(context.api, "update");
    if (!only && only.error().code == Code::confirmation_required) return output.usage(only.error());
    if (!only) return output.fail(only.error());
    options.release = *std::move(only);
  }
  // `latest`, a number and what has a version are no names of apps.
  const auto ref = parse_release_ref(options.release);
  if (!ref || ref->name != options.release) {
    return output.usage({Code::invalid_request,
                         in_quotes(options.release) + " is not the name of an app.",
                         "A certain release is deployed with:\n  leger deploy install NAME@VERSION",
                         {}});
  }
  return install_release(context, options);
}

int remove_app(const Context& context, const RemoveOptions& options) {
  Output& output = context.output;
  std::string name = options.name;
  if (name.empty()) {
    auto only = only_app(context.api, "remove");
    if (!only && only.error().code == Code::confirmation_required) return output.usage(only.error());
    if (!only) return output.fail(only.error());
    name = *std::move(only);
  }
  if (options.volumes && !options.yes) {
    const std::string question = "Remove " + in_quotes(name) + " and delete its volumes?";
    const auto exit = output.unless_confirmed(question, "--yes", Output::No::fails);
    if (exit) return *exit;
  }
  const std::string query = options.volumes ? "?volumes=true" : "";
  const auto deployment =
      await_end(context, context.api.remove("/api/deployments/" + percent_encode(name) + query, kStartExtraMs));
  if (!deployment) return output.fail(deployment.error());
  output.success(escape_controls(name) + " removed");
  output.line(options.volumes ? "  The volumes it made are deleted; its releases are kept."
                              : "  Its volumes and releases are kept.");
  return kDone;
}

}  // namespace leger
