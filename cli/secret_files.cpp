#include "cli/secret_files.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "cli/dotenv.h"
#include "cli/private_file.h"
#include "cli/secret_calls.h"
#include "cli/secret_value.h"
#include "cli/shell_word.h"

namespace leger {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

struct Exported {
  std::string name;
  Secret value;
  Json version;
};

int list_names(Output& output, const std::vector<DotenvEntry>& entries) {
  Json list = Json::array();
  for (const DotenvEntry& entry : entries) {
    list.push_back(Json{{"name", entry.name}});
    output.line(entry.name);
  }
  output.data(Json{{"secrets", std::move(list)}});
  output.line("\nTotal: " + std::to_string(entries.size()) + " secrets. Nothing was sent.");
  return kDone;
}

// Where the answer did not come, or cannot be read, legerd may have set the secret.
bool is_uncertain(Code code) { return code == Code::unavailable || code == Code::upstream_failed; }

// What became of each entry where that at `failed` was not set.
Error import_error(const std::vector<DotenvEntry>& entries, std::size_t failed, const Error& why) {
  Json details = Json::object();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool unknown = i == failed && is_uncertain(why.code);
    details[i < failed ? "set" : unknown ? "unknown" : "not_set"].push_back(entries[i].name);
  }
  return {
      why.code, "Secret " + in_quotes(entries[failed].name) + ": " + why.message,
      why.action.empty() ? "Import again when this is mended; what is set already gets one more version." : why.action,
      dump(details)};
}

Result<std::vector<std::string>> fetch_names(ApiClient& api) {
  const auto data = fetch_secret_list(api);
  if (!data) return Fail(data.error());
  std::vector<std::string> names;
  for (const Json& secret : (*data)["secrets"]) {
    auto name = text_field(secret, "name");
    if (!name) return Fail(api.garbled("a secret of its list has no name"));
    names.push_back(*std::move(name));
  }
  return names;
}

// In the order in which they were named, none twice.
std::vector<std::string> without_repeats(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (const std::string& name : names) {
    if (std::ranges::find(result, name) == result.end()) result.push_back(name);
  }
  return result;
}

Result<std::vector<Exported>> fetch_all(ApiClient& api, const std::vector<std::string>& names) {
  std::vector<Exported> secrets;
  for (const std::string& name : names) {
    if (const auto error = unusable(name)) return Fail(*error);
    auto data = fetch_secret(api, name);
    if (!data) return Fail(data.error());
    auto value = take_value(api, *data);
    if (!value) return Fail(value.error());
    secrets.push_back({name, *std::move(value), data->value("version", Json())});
  }
  return secrets;
}

Result<Secret> as_dotenv(const std::vector<Exported>& secrets) {
  std::vector<Secret> lines;
  std::size_t size = 0;
  for (const Exported& secret : secrets) {
    const std::string_view value = secret.value.reveal();
    if (!is_utf8(value) || value.contains('\0')) {
      return Fail(
          {Code::invalid_request,
           "Secret " + in_quotes(secret.name) + " is not text, which is all that a dotenv file can hold.",
           "Name the secrets to export and leave it out. By itself:\n  leger secrets get " + secret.name + " > FILE",
           {}});
    }
    lines.push_back(dotenv_line(secret.name, secret.value));
    size += lines.back().reveal().size();
  }
  Secret content;
  content.buffer().reserve(size);  // so that it never moves and leaves a copy behind
  for (const Secret& line : lines) content.buffer() += line.reveal();
  return content;
}

Result<void> write_export(const std::string& file, std::string_view content, const Io& io) {
  const std::string path = std::filesystem::absolute(file).string();
  const auto lock = FolderLock::take(std::filesystem::path(path).parent_path().string(), io.patience.lock_ms);
  if (!lock) return Fail(lock.error());
  return replace_private_file(path, content);
}

// The values are for standard output alone: with a file they are there.
void print_json(Output& output, const std::vector<Exported>& secrets, const std::string& file) {
  Json list = Json::array();
  for (const Exported& secret : secrets) {
    list.push_back(Json{{"name", secret.name}});
    if (file.empty()) put_value(list.back(), secret.value);
    list.back()["version"] = secret.version;
  }
  Json data{{"secrets", std::move(list)}};
  if (!file.empty()) data["file"] = file;
  output.data(data);
  for (Json& secret : data["secrets"]) {
    for (auto& [name, field] : secret.items()) {
      if (field.is_string()) wipe(field.get_ref<std::string&>());
    }
  }
}

}  // namespace

int import_secrets(const Context& context, const ImportOptions& options) {
  Output& output = context.output;
  const bool standard = options.file == "-";
  if (standard && isatty(context.io.in) == 1) output.prompt("Type NAME=VALUE lines, then Ctrl-D: ");
  const auto content = read_secret_file(options.file, kMaxFileBytes, context.io);
  if (!content) return output.fail(content.error());
  const std::string source = standard ? "Standard input" : in_quotes(options.file);
  const auto entries = read_dotenv(content->reveal(), source);
  if (!entries) return output.fail(entries.error());
  if (options.dry_run) return list_names(output, *entries);
  Json done = Json::array();
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const DotenvEntry& entry = (*entries)[i];
    auto data = put_secret(context.api, entry.name, entry.value);
    if (!data) return output.fail(import_error(*entries, i, data.error()));
    output.success(entry.name + " " + shown(*data, "message") + ", version " + shown(*data, "version"));
    done.push_back(std::move(*data));
  }
  output.data(Json{{"secrets", std::move(done)}});
  output.line("\nTotal: " + std::to_string(entries->size()) + " secrets");
  return kDone;
}

int export_secrets(const Context& context, const ExportOptions& options) {
  Output& output = context.output;
  const auto names = options.names.empty() ? fetch_names(context.api)
                                           : Result<std::vector<std::string>>(without_repeats(options.names));
  if (!names) return output.fail(names.error());
  const auto secrets = fetch_all(context.api, *names);
  if (!secrets) return output.fail(secrets.error());
  if (!output.is_json() || !options.file.empty()) {
    const auto content = as_dotenv(*secrets);
    if (!content) return output.fail(content.error());
    if (options.file.empty()) {
      output.bytes(content->reveal());
      return kDone;
    }
    const auto written = write_export(options.file, content->reveal(), context.io);
    if (!written) return output.fail(written.error());
  }
  print_json(output, *secrets, options.file);
  output.success(std::to_string(secrets->size()) + " secrets exported to " + options.file);
  output.line("  Whoever reads the file has them. Delete it when it is no longer needed:\n  shred -u " +
              shell_word(options.file));
  return kDone;
}

}  // namespace leger
