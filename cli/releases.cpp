#include "cli/releases.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "cli/release_ref.h"

namespace leger {
namespace {

constexpr std::uint64_t kMaxPage = 1000;  // of a list, as legerd has it
constexpr std::string_view kUploadHint = "Upload one with: leger releases upload <bundle.tar.gz>";

void print_names(Output& output, const Json& release, const char* field, const std::string& title) {
  const auto names = release.find(field);
  if (names == release.end() || !names->is_array() || names->empty()) return;
  output.line("  " + title + ":");
  for (const Json& name : *names) {
    if (name.is_string()) output.line("    " + escape_controls(name.get<std::string>()));
  }
}

std::string path_of_page(const ListReleasesOptions& options, std::uint64_t limit, std::int64_t before) {
  std::string query;
  if (!options.name.empty()) query += "&name=" + percent_encode(options.name);
  if (limit != 0) query += "&limit=" + std::to_string(limit);
  if (before != 0) query += "&before=" + std::to_string(before);
  if (!query.empty()) query.front() = '?';
  return "/api/releases" + query;
}

// legerd's data with the releases of all pages that it takes.
Result<Json> fetch_releases(ApiClient& api, const ListReleasesOptions& options) {
  std::uint64_t left = options.all ? UINT64_MAX : options.limit;  // 0: one page, as long as legerd likes
  std::int64_t before = 0;
  Json all = Json::array();
  for (;;) {
    const std::uint64_t limit = std::min(left, kMaxPage);
    auto data = api.get(path_of_page(options, limit, before));
    if (!data) return Fail(data.error());
    const auto page = data->find("releases");
    if (page == data->end() || !page->is_array()) return Fail(api.garbled("it sends no list of releases"));
    const std::uint64_t count = page->size();
    for (Json& release : *page) all.push_back(std::move(release));
    left -= std::min(left, count);
    if (left == 0 || count < limit) {
      *page = std::move(all);
      return data;
    }
    const auto oldest = integer_field(all.back(), "version");
    if (!oldest || *oldest < 1 || (before != 0 && *oldest >= before)) {
      return Fail(api.garbled("its list of releases is not in order"));
    }
    before = *oldest;
  }
}

}  // namespace

Error with_upload_hint(Error error) {
  if (error.code == Code::release_not_found && error.action.empty()) error.action = kUploadHint;
  return error;
}

int list_releases(const Context& context, const ListReleasesOptions& options) {
  Output& output = context.output;
  const auto data = fetch_releases(context.api, options);
  if (!data) return output.fail(data.error());
  const Json& releases = (*data)["releases"];
  output.data(*data);
  if (releases.empty()) {
    output.line("No releases\n\n" + std::string(kUploadHint));
    return kDone;
  }
  std::vector<Row> rows{{Cell("Version"), Cell("Name"), Cell("Bytes"), Cell("Files"), Cell("Created")}};
  for (const Json& release : releases) {
    rows.push_back({shown(release, "version"), shown(release, "deployment_name"), shown(release, "bundle_size_bytes"),
                    shown(release, "file_count"), shown(release, "created_at")});
  }
  output.table(rows);
  const std::string total = shown(*data, "total_count") + " releases";
  const bool is_whole = std::cmp_greater_equal(releases.size(), integer_field(*data, "total_count").value_or(0));
  output.line(is_whole ? "\nTotal: " + total
                       : "\nThe newest " + std::to_string(releases.size()) + " of " + total +
                             ". See more with --limit N, or all with --all.");
  return kDone;
}

int show_release(const Context& context, const std::string& release) {
  Output& output = context.output;
  const auto ref = parse_release_ref(release);
  if (!ref) return output.usage(ref.error());
  const auto found = find_release(context.api, *ref);
  if (!found) return output.fail(found.error());
  const Json& data = found->data;
  output.data(data);
  output.line(found->title());
  output.line("  Created: " + shown(data, "created_at"));
  output.line("  Size: " + shown(data, "bundle_size_bytes") + " bytes");
  output.line("  SHA-256: " + shown(data, "sha256"));
  output.line("  Stored as: " + shown(data, "r2_path"));
  print_names(output, data, "files", "Files");
  print_names(output, data, "services", "Services");
  print_names(output, data, "secrets_required", "Secrets");
  return kDone;
}

}  // namespace leger
