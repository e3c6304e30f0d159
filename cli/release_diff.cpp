#include "cli/release_diff.h"

#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "cli/release_ref.h"
#include "cli/text_diff.h"
#include "quadlets/bundle.h"

namespace leger {
namespace {

constexpr const char* kAbsent = "/dev/null";  // as git and patch name a file that is not there

struct Pair {
  FoundRelease from;
  FoundRelease to;
};

// One file of one release.
struct Side {
  bool is_there = false;
  std::optional<std::string> text;  // nothing where legerd says that it is no text
};

struct FileDiff {
  std::string path;
  std::string change;  // added, removed, changed; unknown where neither side is text
  bool is_text = true;
  std::string diff;  // without is_text one line about it
};

Result<Pair> find_both(ApiClient& api, const ReleaseRef& from, const std::optional<ReleaseRef>& to) {
  auto first = find_release(api, from);
  if (!first) return Fail(first.error());
  auto second = find_release(api, to.value_or(ReleaseRef{.name = first->name, .version = std::nullopt}));
  if (!second) return Fail(second.error());
  return Pair{*std::move(first), *std::move(second)};
}

Result<std::set<std::string>> files_of(const ApiClient& api, const FoundRelease& release) {
  const auto files = release.data.find("files");
  if (files == release.data.end() || !files->is_array()) return Fail(api.garbled("it sends no list of files"));
  std::set<std::string> paths;
  for (const Json& path : *files) {
    if (!path.is_string()) return Fail(api.garbled("a file of its list has no path"));
    paths.insert(path.get<std::string>());
  }
  return paths;
}

Result<Side> fetch_side(ApiClient& api, const FoundRelease& release, const std::set<std::string>& files,
                        const std::string& path) {
  if (!files.contains(path)) return Side{};
  std::string encoded;
  for (const std::string_view part : split(path, '/')) encoded += "/" + percent_encode(part);
  auto text = api.fetch({.path = "/api/releases/" + std::to_string(release.version) + "/files" + encoded,
                         .max_bytes = BundleLimits{}.file_bytes,
                         .extra_ms = 0,
                         .on_received = {}});
  if (!text && text.error().code == Code::invalid_request) return Side{.is_there = true, .text = std::nullopt};
  if (!text) return Fail(text.error());
  const bool is_text = is_utf8(*text) && !text->contains('\0');
  return Side{.is_there = true, .text = is_text ? std::optional(*std::move(text)) : std::nullopt};
}

// Nothing where both sides are equal.
std::optional<FileDiff> compare(const std::string& path, const Side& from, const Side& to) {
  const std::string name = escape_controls(path);
  const std::string old_name = from.is_there ? "a/" + name : kAbsent;
  const std::string new_name = to.is_there ? "b/" + name : kAbsent;
  FileDiff file{.path = path, .change = !from.is_there ? "added" : !to.is_there ? "removed" : "changed", .diff = ""};
  const bool old_binary = from.is_there && !from.text;
  const bool new_binary = to.is_there && !to.text;
  if (old_binary || new_binary) {
    // legerd gives only text file by file, so that two files that are none cannot be told from each other.
    if (old_binary && new_binary) file.change = "unknown";
    file.is_text = false;
    file.diff =
        "Binary files " + old_name + " and " + new_name + (file.change == "unknown" ? " may differ\n" : " differ\n");
    return file;
  }
  const std::string old_text = from.text.value_or("");
  const std::string new_text = to.text.value_or("");
  if (file.change == "changed" && old_text == new_text) return std::nullopt;
  file.diff = unified_diff({old_name, old_text}, {new_name, new_text});
  return file;
}

Result<std::vector<FileDiff>> compare_all(ApiClient& api, const Pair& pair) {
  const auto old_files = files_of(api, pair.from);
  if (!old_files) return Fail(old_files.error());
  const auto new_files = files_of(api, pair.to);
  if (!new_files) return Fail(new_files.error());
  const auto sha256 = text_field(pair.from.data, "sha256");
  std::vector<FileDiff> result;
  if (sha256 && sha256 == text_field(pair.to.data, "sha256")) return result;
  std::set<std::string> paths = *old_files;
  paths.insert(new_files->begin(), new_files->end());
  for (const std::string& path : paths) {
    const auto from = fetch_side(api, pair.from, *old_files, path);
    if (!from) return Fail(from.error());
    const auto to = fetch_side(api, pair.to, *new_files, path);
    if (!to) return Fail(to.error());
    if (auto file = compare(path, *from, *to)) result.push_back(*std::move(file));
  }
  return result;
}

Colour colour_of(std::string_view line) {
  if (line.starts_with('-')) return Colour::red;
  if (line.starts_with('+')) return Colour::green;
  return line.starts_with('@') ? Colour::cyan : Colour::none;
}

void print(Output& output, const FileDiff& file) {
  std::size_t number = 0;
  std::string_view rest = file.diff;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    // The first two are names.
    output.content(line, file.is_text && number >= 2 ? colour_of(line) : Colour::none);
    rest.remove_prefix(end + 1);
    ++number;
  }
}

Json brief(const FoundRelease& release) {
  return Json{{"version", release.version}, {"deployment_name", release.name}};
}

Json as_json(const Pair& pair, const std::vector<FileDiff>& files) {
  Json list = Json::array();
  for (const FileDiff& file : files) {
    list.push_back(Json{{"path", file.path}, {"change", file.change}});
    if (file.is_text) list.back()["diff"] = file.diff;
  }
  return Json{{"from", brief(pair.from)}, {"to", brief(pair.to)}, {"files", std::move(list)}};
}

}  // namespace

int diff_releases(const Context& context, const DiffOptions& options) {
  Output& output = context.output;
  const auto from = parse_release_ref(options.from);
  if (!from) return output.usage(from.error());
  std::optional<ReleaseRef> to;
  if (!options.to.empty()) {
    auto parsed = parse_release_ref(options.to);
    if (!parsed) return output.usage(parsed.error());
    to = *std::move(parsed);
  }
  const auto pair = find_both(context.api, *from, to);
  if (!pair) return output.fail(pair.error());
  if (!to && pair->from.version == pair->to.version && !output.is_json()) {
    output.prompt(pair->from.title() + " is the newest release of its app: there is none to compare it with.\n");
  }
  const auto files = compare_all(context.api, *pair);
  if (!files) return output.fail(files.error());
  output.data(as_json(*pair, *files));
  if (!output.is_json()) {
    for (const FileDiff& file : *files) print(output, file);
  }
  return options.exit_code && !files->empty() ? kFailed : kDone;
}

}  // namespace leger
