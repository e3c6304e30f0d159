#include "cli/audit.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leger {
namespace {

constexpr std::size_t kSpareRequests = 100;          // for pages with less than was asked for
constexpr std::uint64_t kMaxEntries = 100'000;       // at once, since they are shown as one table
constexpr std::uint64_t kVerifyExtraMs = 1'800'000;  // the whole chain is read

// What went well, or in red what did not; how many alike the entry stands for.
Cell outcome_of(const Json& entry) {
  std::string text = shown(entry, "outcome");
  constexpr std::array<std::string_view, 4> kWell{"ok", "started", "deployed", "removed"};
  const bool fine = std::ranges::contains(kWell, text);
  if (integer_field(entry, "count").value_or(1) > 1) text += " ×" + shown(entry, "count");
  return {std::move(text), fine ? Colour::none : Colour::red};
}

Row row_of(const Json& entry) {
  const std::string name = shown(entry, "actor_name");
  return {shown(entry, "time"),   name == "-" ? shown(entry, "actor") : name,
          shown(entry, "source"), shown(entry, "action"),
          shown(entry, "object"), shown(entry, "version"),
          outcome_of(entry)};
}

}  // namespace

int show_audit(const Context& context, const AuditOptions& options) {
  Output& output = context.output;
  if (options.limit > kMaxEntries) {
    return output.usage({Code::invalid_request,
                         "At most " + std::to_string(kMaxEntries) + " entries are shown at once.",
                         "Look for fewer with --object or --action.",
                         {}});
  }
  const std::size_t requests = kSpareRequests + options.limit / 100;
  auto pages = read_audit(context.api, options.filter, options.limit, requests, [](const Json&) { return true; });
  if (!pages) return output.fail(pages.error());
  output.data(Json{{"entries", pages->entries}, {"next", pages->next ? Json(*pages->next) : Json()}});
  if (pages->entries.empty() && !pages->next) {
    output.line("No entries in the audit");
    return kDone;
  }
  std::vector<Row> rows{
      {Cell("Time"), Cell("Who"), Cell("From"), Cell("Action"), Cell("Object"), Cell("Version"), Cell("Outcome")}};
  for (const Json& entry : pages->entries) rows.push_back(row_of(entry));
  output.table(rows);
  if (pages->next) output.line("\nThere are older entries: --limit N shows more.");
  return kDone;
}

int verify_audit(const Context& context) {
  Output& output = context.output;
  const auto answer = context.api.send({.method = "GET", .path = "/api/audit/verify", .extra_ms = kVerifyExtraMs});
  if (!answer) return output.fail(answer.error());
  const auto valid = bool_field(answer->data, "valid");
  if (!valid) return output.fail(context.api.garbled("it does not say whether the audit is whole"));
  output.data(answer->data);
  if (*valid) {
    output.success("The audit is whole: " + shown(answer->data, "entries") + " entries");
    return kDone;
  }
  return output.fail(
      {Code::conflict,
       "The audit is not whole: entry " + shown(answer->data, "first_bad") +
           " does not follow from the one before it, or is missing.",
       "Do not rely on what is recorded from there on. Keep a copy of legerd's state folder, and compare "
       "it with your backups.",
       {}});
}

}  // namespace leger
