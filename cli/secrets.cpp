#include "cli/secrets.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "cli/secret_calls.h"
#include "cli/secret_sync.h"
#include "cli/secret_value.h"

namespace leger {
namespace {

std::string day(const Json& secret, const char* name) { return shown(secret, name).substr(0, 10); }

// What helps where somebody else was faster; the CLI's dialect has no place for it.
Error with_history_advice(Error error, const std::string& name) {
  if (error.code == Code::conflict && error.action.empty()) {
    error.action = "See which version is current:\n  leger secrets history " + escape_controls(name);
  }
  return error;
}

// legerd lists the apps in the details.
Error with_removal_advice(Error error) {
  if (error.code == Code::conflict && error.action.empty()) {
    error.action =
        "Deploy releases that do without the secret, or remove the apps:\n  leger deploy list\n  leger deploy remove "
        "<app>";
  }
  return error;
}

}  // namespace

int set_secret(const Context& context, const SetSecretOptions& options) {
  Output& output = context.output;
  if (const auto error = unusable(options.name)) return output.fail(*error);
  if (options.value == "-" && isatty(context.io.in) == 1) output.prompt("Type the value, then Ctrl-D twice: ");
  const auto value =
      read_secret_value(options.value, options.raw ? FinalNewline::keep : FinalNewline::drop_of_one_line, context.io);
  if (!value) return output.fail(value.error());
  if (options.value != "-" && !options.value.starts_with('@')) {
    output.warning(
        "a value on the command line is seen by every process of this machine and stays in the shell's "
        "history. Give it through standard input (-) or a file (@FILE).");
  }
  const auto data = put_secret(context.api, options.name, *value, options.if_version);
  if (!data) return output.fail(with_history_advice(data.error(), options.name));
  output.success("Secret " + shown(*data, "message"));
  output.line("  Name: " + escape_controls(options.name));
  output.line("  Version: " + shown(*data, "version"));
  output.line("  Updated: " + shown(*data, "updated_at"));
  return apply_change(context, *data, options.apply ? Apply::yes : Apply::no);
}

int list_secrets(const Context& context) {
  Output& output = context.output;
  const auto data = fetch_secret_list(context.api);
  if (!data) return output.fail(data.error());
  const Json& secrets = (*data)["secrets"];
  output.data(*data);
  if (secrets.empty()) {
    output.line("No secrets configured\n\nAdd secrets with: leger secrets set <name> <value>");
    return kDone;
  }
  std::vector<Row> rows{{Cell("Name"), Cell("Created"), Cell("Updated"), Cell("Version")}};
  for (const Json& secret : secrets) {
    rows.push_back(
        {shown(secret, "name"), day(secret, "created_at"), day(secret, "updated_at"), shown(secret, "version")});
  }
  output.table(rows);
  output.line("\nTotal: " + std::to_string(secrets.size()) + " secrets");
  return kDone;
}

int get_secret(const Context& context, const GetSecretOptions& options) {
  Output& output = context.output;
  if (const auto error = unusable(options.name)) return output.fail(*error);
  auto data = fetch_secret(context.api, options.name, options.version);
  if (!data) return output.fail(data.error());
  output.data(*data);
  const auto value = take_value(context.api, *data);
  if (!value) return output.fail(value.error());
  if (!output.is_json()) output.bytes(value->reveal());
  return kDone;
}

int delete_secret(const Context& context, const DeleteSecretOptions& options) {
  Output& output = context.output;
  if (const auto error = unusable(options.name)) return output.fail(*error);
  if (!options.force) {
    const auto exit = output.unless_confirmed("Delete secret " + in_quotes(options.name) + "?", "--force");
    if (exit) return *exit;
  }
  const auto data = context.api.remove("/api/secrets/" + percent_encode(options.name));
  if (!data) return output.fail(with_removal_advice(with_seed_text(data.error(), options.name)));
  output.data(*data);
  output.success("Secret " + escape_controls(options.name) + " deleted");
  output.line("  Deleted at: " + shown(*data, "deleted_at"));
  return kDone;
}

}  // namespace leger
