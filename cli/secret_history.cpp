#include "cli/secret_history.h"

#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "cli/audit_pages.h"
#include "cli/secret_calls.h"
#include "cli/secret_sync.h"

namespace leger {
namespace {

constexpr std::size_t kAuditRequests = 20;

// legerd's data; `versions` in it is a list.
Result<Json> fetch_versions(ApiClient& api, const std::string& name) {
  auto data = api.get("/api/secrets/" + percent_encode(name) + "/versions");
  if (!data) return Fail(with_seed_text(data.error(), name));
  const auto versions = data->find("versions");
  if (versions == data->end() || !versions->is_array()) return Fail(api.garbled("it sends no list of versions"));
  return data;
}

bool is_current(const Json& version) { return bool_field(version, "current") == true; }

struct LastRead {
  bool known = false;  // legerd gave its audit
  bool ended = false;  // it was looked through to its beginning
  Json entry;          // null: no read was found
};

LastRead find_last_read(ApiClient& api, const std::string& name) {
  auto pages = read_audit(api, {.object = name, .action = "secret.read"}, 1, kAuditRequests,
                          [](const Json& entry) { return text_field(entry, "outcome") == "ok"; });
  if (!pages) return {};
  LastRead found{.known = true, .ended = !pages->next, .entry = nullptr};
  if (!pages->entries.empty()) found.entry = std::move(pages->entries.front());
  return found;
}

std::string in_words(const LastRead& read) {
  if (read.entry.is_null()) return read.ended ? "never on record" : "long ago, or never";
  const std::string who = shown(read.entry, text_field(read.entry, "actor_name") ? "actor_name" : "actor");
  return shown(read.entry, "time") + " by " + who;
}

// The version below the current one, of those that are kept.
Result<std::uint64_t> version_before(ApiClient& api, const std::string& name) {
  const auto data = fetch_versions(api, name);
  if (!data) return Fail(data.error());
  std::int64_t current = 0;
  for (const Json& version : (*data)["versions"]) {
    if (is_current(version)) current = integer_field(version, "version").value_or(0);
  }
  std::int64_t best = 0;
  for (const Json& version : (*data)["versions"]) {
    const std::int64_t number = integer_field(version, "version").value_or(0);
    if (number < current && number > best) best = number;
  }
  if (best > 0) return static_cast<std::uint64_t>(best);
  return Fail({Code::conflict,
               "Secret " + in_quotes(name) + " has no version before the current one.",
               "List the versions that are kept:\n  leger secrets history " + escape_controls(name),
               {}});
}

}  // namespace

int show_history(const Context& context, const std::string& name) {
  Output& output = context.output;
  if (const auto error = unusable(name)) return output.fail(*error);
  auto data = fetch_versions(context.api, name);
  if (!data) return output.fail(data.error());
  std::vector<Row> rows{{Cell("Version"), Cell("Created"), Cell("")}};
  for (const Json& version : (*data)["versions"]) {
    rows.push_back({shown(version, "version"), shown(version, "created_at"),
                    is_current(version) ? Cell("current", Colour::green) : Cell("")});
  }
  const LastRead read = find_last_read(context.api, name);
  if (read.known) (*data)["last_read"] = read.entry;
  output.data(*data);
  output.table(rows);
  if (read.known) output.line("\nLast read: " + in_words(read));
  return kDone;
}

int roll_back(const Context& context, const RollbackOptions& options) {
  Output& output = context.output;
  if (const auto error = unusable(options.name)) return output.fail(*error);
  const auto version =
      options.version ? Result<std::uint64_t>(*options.version) : version_before(context.api, options.name);
  if (!version) return output.fail(version.error());
  const auto data =
      context.api.post("/api/secrets/" + percent_encode(options.name) + "/rollback", Json{{"version", *version}});
  if (!data) return output.fail(with_version_text(data.error(), options.name, *version));
  if (!integer_field(*data, "version")) return output.fail(context.api.garbled("it names no version"));
  output.success("Secret " + escape_controls(options.name) + " rolled back to the value of version " +
                 std::to_string(*version));
  output.line("  Version: " + shown(*data, "version"));
  output.line("  Updated: " + shown(*data, "updated_at"));
  return apply_change(context, *data, options.apply ? Apply::yes : Apply::no);
}

}  // namespace leger
