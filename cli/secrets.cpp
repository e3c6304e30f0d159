#include "cli/secrets.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "cli/secret_value.h"

namespace leger {
namespace {

constexpr std::string_view kShortEscapes = "\b\t\n\f\r";  // of JSON, two bytes each

constexpr const char* kNameRule =
    "Use 1 to 64 letters, digits, dots, colons, dashes and underscores, beginning with a letter, digit or underscore, "
    "and "
    "not list, set, get or sync.";

// The second seed's text, in place of whatever legerd says; its dialect has no place for what to do.
Error with_seed_text(Error error, const std::string& name) {
  if (error.code == Code::invalid_secret_name && error.action.empty()) error.action = kNameRule;
  if (error.code != Code::secret_not_found) return error;
  error.message = "Secret " + in_quotes(name) + " not found";
  error.action = "List available secrets:\n  leger secrets list\n\nCreate secret:\n  leger secrets set " +
                 escape_controls(name) + " <value>";
  return error;
}

// A name that would change the path of its request is told apart here; every other rule about names is legerd's.
std::optional<Error> unusable(const std::string& name) {
  if (!name.empty() && name != "." && name != ".." && !name.contains('/')) return std::nullopt;
  return Error{Code::invalid_secret_name, in_quotes(name) + " is no name for a secret.", kNameRule, {}};
}

// Text that JSON makes at most twice as long, so that the longest value still fits into a body that legerd takes.
bool travels_as_text(std::string_view value) {
  return is_utf8(value) && std::ranges::none_of(value, [](char c) {
           return static_cast<unsigned char>(c) < ' ' && !kShortEscapes.contains(c);
         });
}

// The request's JSON: text as it is, anything else in base64.
Secret set_body(const std::string& name, const Secret& value) {
  Json body{{"name", name}};
  const bool text = travels_as_text(value.reveal());
  Json& field = body[text ? "value" : "value_base64"];
  field = text ? std::string(value.reveal()) : base64_encode(value.reveal());
  Secret result(dump(body));
  wipe(field.get_ref<std::string&>());
  return result;
}

// The value of an answer, wiped from it; nothing where there is none that can be read.
std::optional<Secret> take_value(Json& data) {
  for (const char* name : {"value", "value_base64"}) {
    if (!text_field(data, name)) continue;
    auto& text = data[name].get_ref<std::string&>();
    Secret value(text);
    wipe(text);
    if (std::string_view(name) == "value") return value;
    auto decoded = base64_decode(value.reveal());
    if (!decoded) return std::nullopt;
    Secret bytes(*decoded);
    wipe(*decoded);
    return bytes;
  }
  return std::nullopt;
}

std::string day(const Json& secret, const char* name) { return shown(secret, name).substr(0, 10); }

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
  auto answer = context.api.send({.method = "POST",
                                  .path = "/api/secrets/set",
                                  .content_type = "application/json",
                                  .body = set_body(options.name, *value)});
  if (!answer) return output.fail(with_seed_text(answer.error(), options.name));
  const Json& data = answer->data;
  const auto message = text_field(data, "message");
  if (!message) return output.fail(context.api.garbled("it does not say what became of the secret"));
  output.data(data);
  output.success("Secret " + escape_controls(*message));
  output.line("  Name: " + escape_controls(options.name));
  output.line("  Version: " + shown(data, "version"));
  output.line("  Updated: " + shown(data, "updated_at"));
  return kDone;
}

int list_secrets(const Context& context) {
  Output& output = context.output;
  const auto data = context.api.get("/api/secrets/list");
  if (!data) return output.fail(data.error());
  const auto secrets = data->find("secrets");
  if (secrets == data->end() || !secrets->is_array()) {
    return output.fail(context.api.garbled("it sends no list of secrets"));
  }
  output.data(*data);
  if (secrets->empty()) {
    output.line("No secrets configured\n\nAdd secrets with: leger secrets set <name> <value>");
    return kDone;
  }
  std::vector<Row> rows{{Cell("Name"), Cell("Created"), Cell("Updated"), Cell("Version")}};
  for (const Json& secret : *secrets) {
    rows.push_back(
        {shown(secret, "name"), day(secret, "created_at"), day(secret, "updated_at"), shown(secret, "version")});
  }
  output.table(rows);
  output.line("\nTotal: " + std::to_string(secrets->size()) + " secrets");
  return kDone;
}

int get_secret(const Context& context, const std::string& name) {
  Output& output = context.output;
  if (const auto error = unusable(name)) return output.fail(*error);
  auto data = context.api.get("/api/secrets/get/" + percent_encode(name));
  if (!data) return output.fail(with_seed_text(data.error(), name));
  output.data(*data);
  const auto value = take_value(*data);
  if (!value) return output.fail(context.api.garbled("it sends no value"));
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
  if (!data) return output.fail(with_seed_text(data.error(), options.name));
  output.data(*data);
  output.success("Secret " + escape_controls(options.name) + " deleted");
  output.line("  Deleted at: " + shown(*data, "deleted_at"));
  return kDone;
}

}  // namespace leger
