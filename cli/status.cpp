#include "cli/status.h"

#include <utility>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

// systemd's words for a unit's state and people's.
std::string state_word(const std::string& state) {
  if (state == "active") return "running";
  if (state == "inactive") return "stopped";
  return state;
}

Colour colour_of(const std::string& word) {
  if (word == "running" || word == "healthy") return Colour::green;
  if (word == "failed" || word == "unhealthy") return Colour::red;
  return word == "starting" ? Colour::yellow : Colour::none;
}

}  // namespace

Row status_row(const Json& service) {
  const std::string unit = shown(service, "unit");
  const std::string state = state_word(shown(service, "state"));
  const std::string health = shown(service, "health");
  const std::string since = shown(service, "since");
  return {unit == "-" ? shown(service, "name") : unit, Cell(state, colour_of(state)), Cell(health, colour_of(health)),
          since == "-" ? "" : "since " + since};
}

Result<Json> fetch_services(ApiClient& api) {
  auto data = api.get("/api/services");
  if (!data) return Fail(data.error());
  const auto services = data->find("services");
  if (services == data->end() || !services->is_array()) return Fail(api.garbled("it sends no list of services"));
  return data;
}

int show_status(const Context& context) {
  Output& output = context.output;
  const auto data = fetch_services(context.api);
  if (!data) return output.fail(data.error());
  output.data(*data);
  std::vector<Row> rows;
  for (const Json& service : (*data)["services"]) rows.push_back(status_row(service));
  if (rows.empty()) output.line("Nothing is deployed\n\nDeploy a release with: leger deploy install");
  output.table(rows);
  return kDone;
}

}  // namespace leger
