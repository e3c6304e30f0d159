#include "cli/secret_sync.h"

#include <string>
#include <utility>

#include "backend/base/text.h"
#include "cli/deploy.h"
#include "cli/follow.h"

namespace leger {
namespace {

// The change itself has been made.
Error with_change_advice(Error error) {
  error.message += " The secret itself is changed; running apps have the value they had.";
  if (error.action.empty()) error.action = "Try again:\n  leger secrets sync";
  return error;
}

}  // namespace

Result<Json> sync_and_wait(const Context& context) {
  const auto accepted = context.api.post("/api/secrets/sync", Json::object(), kStartExtraMs);
  if (!accepted) return Fail(accepted.error());
  const auto id = text_field(*accepted, "id");
  if (!id || id->empty()) return Fail(context.api.garbled("it names no deployment"));
  auto deployment = follow_deployment(context, *id);
  if (!deployment) return deployment;
  const auto verdict = judge_deployment(*deployment);
  if (!verdict) return Fail(verdict.error());
  return deployment;
}

void print_sync(Output& output, const Json& deployment) {
  const auto plan = deployment.find("plan");
  const bool has_units = plan != deployment.end() && plan->is_object() && plan->contains("units");
  const Json units = has_units && (*plan)["units"].is_array() ? (*plan)["units"] : Json::array();
  if (units.empty()) {
    output.line("  Nothing to restart: what runs has the newest values.");
    return;
  }
  for (const Json& unit : units) {
    std::string why;
    const auto reasons = unit.find("reasons");
    for (const Json& reason : reasons != unit.end() && reasons->is_array() ? *reasons : Json::array()) {
      if (reason.is_string()) why += (why.empty() ? "" : ", ") + escape_controls(reason.get<std::string>());
    }
    output.line("  " + shown(unit, "name") + " restarted (" + why + ")");
  }
}

int apply_change(const Context& context, Json data, Apply apply) {
  Output& output = context.output;
  if (apply == Apply::no) {
    output.data(data);
    return kDone;
  }
  auto deployment = sync_and_wait(context);
  if (!deployment) return output.fail(with_change_advice(deployment.error()));
  output.success("Running apps are up to date");
  print_sync(output, *deployment);
  data["deployment"] = std::move(*deployment);
  output.data(data);
  return kDone;
}

int sync_secrets(const Context& context) {
  Output& output = context.output;
  const auto deployment = sync_and_wait(context);
  if (!deployment) return output.fail(deployment.error());
  output.data(*deployment);
  output.success("Secrets are up to date");
  print_sync(output, *deployment);
  return kDone;
}

}  // namespace leger
