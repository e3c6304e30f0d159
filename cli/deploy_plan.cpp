#include "cli/deploy_plan.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

// The elements of a list of the plan; none where it is absent or no list.
std::vector<Json> list_of(const Json& plan, const char* name) {
  const auto field = plan.find(name);
  if (field == plan.end() || !field->is_array()) return {};
  return field->get<std::vector<Json>>();
}

// A list of texts as one line.
std::string joined(const Json& object, const char* name) {
  std::string line;
  for (const Json& text : list_of(object, name)) {
    if (text.is_string()) line += (line.empty() ? "" : ", ") + escape_controls(text.get<std::string>());
  }
  return line;
}

std::vector<Json> findings_of(const Json& plan, std::string_view level) {
  std::vector<Json> findings;
  for (const Json& finding : list_of(plan, "findings")) {
    if (text_field(finding, "level") == level) findings.push_back(finding);
  }
  return findings;
}

Colour colour_of(const std::string& change) {
  if (change == "added") return Colour::green;
  if (change == "removed") return Colour::red;
  return change == "changed" ? Colour::yellow : Colour::none;
}

void print_units(Output& output, const Json& plan) {
  std::vector<Row> rows;
  for (const Json& unit : list_of(plan, "units")) {
    const std::string change = shown(unit, "change");
    rows.push_back({Cell(""), Cell(change, colour_of(change)), shown(unit, "name"), joined(unit, "reasons")});
  }
  output.table(rows);
}

void print_findings(Output& output, const Json& plan, std::string_view level, const std::string& title) {
  const auto findings = findings_of(plan, level);
  if (findings.empty()) return;
  output.line("\n" + title);
  for (const Json& finding : findings) output.line("  " + shown(finding, "id") + "  " + shown(finding, "message"));
}

std::string secrets_line(const Json& plan) {
  std::string line;
  for (const Json& secret : list_of(plan, "secrets")) {
    line += (line.empty() ? "" : ", ") + shown(secret, "name") + " v" + shown(secret, "version");
  }
  return line;
}

void print_line(Output& output, const std::string& title, const std::string& text) {
  if (!text.empty()) output.line(title + ": " + text);
}

// `2 added, 1 changed; starts web.service; pulls nginx:1` in one line.
std::string summary(const Json& plan) {
  std::string text;
  for (const char* change : {"added", "changed", "removed"}) {
    const auto units = list_of(plan, "units");
    const auto count =
        std::ranges::count_if(units, [&](const Json& unit) { return text_field(unit, "change") == change; });
    if (count != 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + change;
  }
  if (text.empty()) text = "no unit changes";
  const std::string restart = joined(plan, "restart");
  const std::string images = joined(plan, "images");
  text += restart.empty() ? "; nothing is restarted" : "; starts " + restart;
  return images.empty() ? text : text + "; pulls " + images;
}

Error refused(const FoundRelease& release, const std::vector<Json>& denied) {
  return {Code::preflight_failed, release.title() + " cannot be installed.", "Mend what is listed, then deploy again.",
          dump(Json(denied))};
}

// Shows the flags and asks; nothing where the user agrees.
std::optional<int> unless_accepted(Output& output, const FoundRelease& release, const std::vector<Json>& flags) {
  std::string question = release.title() + " asks for what has to be confirmed:\n";
  for (const Json& flag : flags) question += "  " + shown(flag, "id") + "  " + shown(flag, "message") + "\n";
  return output.unless_confirmed(question + "Deploy it?", "--yes", Output::No::fails);
}

}  // namespace

Result<Json> fetch_plan(const Context& context, const FoundRelease& release) {
  auto plan = context.api.post("/api/deployments/plan", Json{{"version", release.version}});
  if (plan && text_field(*plan, "plan_id").value_or("").empty()) return Fail(context.api.garbled("it names no plan"));
  return plan;
}

int show_plan(const Context& context, const FoundRelease& release, const Json& plan) {
  Output& output = context.output;
  output.data(plan);
  output.line(release.title());
  print_units(output, plan);
  const std::string restart = joined(plan, "restart");
  output.line("");
  output.line(restart.empty() ? "Starts nothing" : "Starts, in this order: " + restart);
  print_line(output, "Pulls", joined(plan, "images"));
  print_line(output, "Publishes", joined(plan, "ports"));
  print_line(output, "Secrets", secrets_line(plan));
  const std::string volumes = joined(plan, "volumes");
  if (!volumes.empty()) output.line("Mounts: " + volumes + " (what is written there no rollback undoes)");
  print_findings(output, plan, "denied", "Denied, it cannot be installed:");
  print_findings(output, plan, "flagged", "To be confirmed, or accepted with --yes:");
  print_findings(output, plan, "note", "To be known:");
  return findings_of(plan, "denied").empty() ? kDone : kFailed;
}

std::variant<Json, int> agree_to_plan(const Context& context, const FoundRelease& release, const Json& plan,
                                      const DeployOptions& options) {
  Output& output = context.output;
  const auto denied = findings_of(plan, "denied");
  if (!denied.empty()) return output.fail(refused(release, denied));
  const auto flags = findings_of(plan, "flagged");
  if (!flags.empty() && !options.yes) {
    if (const auto exit = unless_accepted(output, release, flags)) return *exit;
  }
  Json accepted = Json::array();
  for (const Json& flag : flags) accepted.push_back(text_field(flag, "id").value_or(""));
  Json body{{"plan_id", text_field(plan, "plan_id").value_or("")}, {"accept_flags", std::move(accepted)}};
  if (options.adopt) body["adopt"] = true;
  if (options.retry) body["retry"] = true;
  output.line(release.title() + ": " + summary(plan));
  for (const Json& finding : findings_of(plan, "note")) output.line("  " + shown(finding, "message"));
  return body;
}

int plan_release(const Context& context, const std::string& release) {
  Output& output = context.output;
  const auto ref = parse_release_ref(release);
  if (!ref) return output.usage(ref.error());
  const auto found = find_release(context.api, *ref);
  if (!found) return output.fail(found.error());
  const auto plan = fetch_plan(context, *found);
  if (!plan) return output.fail(plan.error());
  return show_plan(context, *found, *plan);
}

}  // namespace leger
