#include "cli/deploy_status.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cli/deploy_history.h"
#include "cli/status.h"

namespace leger {
namespace {

constexpr std::uint32_t kLookedAt = 100;  // deployments, back to the one that is live

// What of an app runs, by its name.
std::map<std::string, Json> units_by_app(const Json& services, const std::string& name) {
  std::map<std::string, Json> apps;
  for (const Json& service : services) {
    const std::string app = text_field(service, "app").value_or("");
    if (app.empty() || (!name.empty() && app != name)) continue;
    apps.try_emplace(app, Json::array()).first->second.push_back(service);
  }
  return apps;
}

Json images_of(const Json& units) {
  Json images = Json::array();
  for (const Json& unit : units) {
    const auto image = text_field(unit, "image");
    if (image && !image->empty() && std::ranges::find(images, Json(*image)) == images.end()) images.push_back(*image);
  }
  return images;
}

// Names and versions as the plan of the live deployment has them.
Json secrets_of(const Json& live) {
  const auto plan = live.find("plan");
  if (plan == live.end() || !plan->is_object()) return Json::array();
  const auto secrets = plan->find("secrets");
  return secrets != plan->end() && secrets->is_array() ? *secrets : Json::array();
}

Json brief(const Json& deployment) {
  Json brief = Json::object();
  for (const char* field : {"id", "kind", "version", "state", "created_at", "finished_at", "error"}) {
    const auto found = deployment.find(field);
    if (found != deployment.end()) brief[field] = *found;
  }
  return brief;
}

// The newest deployment that went well is the one that is live: of an app that is removed no unit is left.
Result<Json> describe(ApiClient& api, const std::string& app, const Json& units) {
  const auto data = fetch_deployments(api, app, "", kLookedAt);
  if (!data) return data;
  const Json& deployments = (*data)["deployments"];
  const auto live = std::ranges::find_if(
      deployments, [](const Json& deployment) { return text_field(deployment, "state") == "deployed"; });
  Json description{{"name", app}, {"version", nullptr}, {"since", nullptr}};
  if (live != deployments.end()) {
    description["version"] = live->value("version", Json());
    description["since"] = live->value("finished_at", Json());
  }
  description["units"] = units;
  description["images"] = images_of(units);
  description["secrets"] = live == deployments.end() ? Json::array() : secrets_of(*live);
  description["last_deployment"] = deployments.empty() ? Json() : brief(deployments.front());
  return description;
}

void print(Output& output, const Json& app) {
  output.line(shown(app, "name") + " v" + shown(app, "version") + ", since " + shown(app, "since"));
  std::vector<Row> rows;
  for (const Json& unit : app["units"]) {
    Row row = status_row(unit);
    row.front().text.insert(0, "  ");
    rows.push_back(std::move(row));
  }
  output.table(rows);
  for (const Json& image : app["images"]) output.line("  image   " + image.get<std::string>());
  for (const Json& secret : app["secrets"]) {
    output.line("  secret  " + shown(secret, "name") + " v" + shown(secret, "version"));
  }
  const Json& last = app["last_deployment"];
  if (last.is_null()) return;
  output.line("  last    " + shown(last, "kind") + " of v" + shown(last, "version") + ": " + shown(last, "state") +
              ", " + shown(last, "created_at"));
}

}  // namespace

int show_deployed(const Context& context, const std::string& name) {
  Output& output = context.output;
  const auto services = fetch_services(context.api);
  if (!services) return output.fail(services.error());
  const auto apps = units_by_app((*services)["services"], name);
  if (apps.empty() && !name.empty()) {
    return output.fail({Code::deployment_not_found,
                        "No app " + in_quotes(name) + " is deployed.",
                        "See what is:\n  leger deploy status",
                        {}});
  }
  Json list = Json::array();
  for (const auto& [app, units] : apps) {
    auto description = describe(context.api, app, units);
    if (!description) return output.fail(description.error());
    list.push_back(*std::move(description));
  }
  output.data(Json{{"apps", list}});
  if (list.empty()) output.line("Nothing is deployed\n\nDeploy a release with: leger deploy install");
  for (const Json& app : list) print(output, app);
  return kDone;
}

}  // namespace leger
