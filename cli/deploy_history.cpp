#include "cli/deploy_history.h"

#include <utility>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::uint32_t kPage = 1000;

int say_none(Output& output) {
  output.line("No deployments\n\nDeploy a release with: leger deploy install");
  return kDone;
}

Colour colour_of(const std::string& state) {
  if (state == "deployed") return Colour::green;
  if (state == "failed" || state == "rolled_back") return Colour::red;
  return Colour::none;
}

std::string reason(const Json& deployment) {
  const auto error = deployment.find("error");
  if (error == deployment.end() || error->is_null()) return "";
  return error->is_string() ? error->get<std::string>() : text_field(*error, "message").value_or("");
}

// All pages as one answer.
Result<Json> fetch_all(ApiClient& api, const std::string& name) {
  auto all = fetch_deployments(api, name, "", kPage);
  if (!all) return all;
  Json& list = (*all)["deployments"];
  std::size_t page = list.size();
  while (page == kPage) {
    const auto last = text_field(list.back(), "id");
    if (!last) return Fail(api.garbled("it sends a deployment without an id"));
    const auto more = fetch_deployments(api, name, *last, kPage);
    if (!more) return more;
    page = (*more)["deployments"].size();
    for (const Json& deployment : (*more)["deployments"]) list.push_back(deployment);
  }
  return all;
}

}  // namespace

Result<Json> fetch_deployments(ApiClient& api, const std::string& name, const std::string& before,
                               std::uint32_t limit) {
  std::string query;
  const auto add = [&query](const std::string& field, const std::string& value) {
    if (!value.empty()) query += (query.empty() ? "?" : "&") + field + "=" + percent_encode(value);
  };
  add("name", name);
  add("limit", limit == 0 ? "" : std::to_string(limit));
  add("before", before);
  auto data = api.get("/api/deployments" + query);
  if (!data) return data;
  const auto deployments = data->find("deployments");
  if (deployments == data->end() || !deployments->is_array()) {
    return Fail(api.garbled("it sends no list of deployments"));
  }
  return data;
}

int list_deployments(const Context& context, const std::string& name) {
  Output& output = context.output;
  const auto data = fetch_deployments(context.api, name, "", 0);
  if (!data) return output.fail(data.error());
  output.data(*data);
  if ((*data)["deployments"].empty()) return say_none(output);
  std::vector<Row> rows{
      {Cell("Name"), Cell("Version"), Cell("Kind"), Cell("State"), Cell("Started"), Cell("Ended"), Cell("ID")}};
  for (const Json& deployment : (*data)["deployments"]) {
    rows.push_back({shown(deployment, "name"), shown(deployment, "version"), shown(deployment, "kind"),
                    shown(deployment, "state"), shown(deployment, "created_at"), shown(deployment, "finished_at"),
                    shown(deployment, "id")});
  }
  output.table(rows);
  output.line("\nTotal: " + shown(*data, "total_count") + " deployments");
  return kDone;
}

int show_deployment_history(const Context& context, const std::string& name) {
  Output& output = context.output;
  const auto data = fetch_all(context.api, name);
  if (!data) return output.fail(data.error());
  output.data(*data);
  if ((*data)["deployments"].empty()) return say_none(output);
  std::vector<Row> rows{{Cell("Name"), Cell("Version"), Cell("Kind"), Cell("Started"), Cell("Outcome"), Cell("Why")}};
  for (const Json& deployment : (*data)["deployments"]) {
    const std::string state = shown(deployment, "state");
    rows.push_back({shown(deployment, "name"), shown(deployment, "version"), shown(deployment, "kind"),
                    shown(deployment, "created_at"), Cell(state, colour_of(state)), reason(deployment)});
  }
  output.table(rows);
  return kDone;
}

}  // namespace leger
