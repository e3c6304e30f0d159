#include "cli/releases.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMaxBundleBytes = std::size_t{16} << 20;
constexpr std::uint64_t kUploadBytesPerMs = 64;  // the slowest line that an upload is waited for
constexpr std::string_view kUploadHint = "Upload one with: leger releases upload <bundle.tar.gz>";

Fail refused(const std::string& path, std::string_view why, std::string action) {
  return Fail({Code::invalid_bundle, in_quotes(path) + " " + std::string(why) + ".", std::move(action), {}});
}

Result<std::size_t> bundle_size(const std::string& path, const struct stat& status) {
  const std::string name = escape_controls(path);
  if (S_ISDIR(status.st_mode)) {
    return refused(path, "is a folder", "Make a bundle of it:\n  tar -czf bundle.tar.gz -C " + name + " .");
  }
  if (!S_ISREG(status.st_mode)) return refused(path, "is not a regular file", "Give the path of a .tar.gz file.");
  if (status.st_size == 0) return refused(path, "is empty", "Make the bundle anew.");
  if (static_cast<std::size_t>(status.st_size) > kMaxBundleBytes) {
    return Fail({Code::bundle_too_large,
                 in_quotes(path) + " is larger than 16 MiB.",
                 "Keep data out of the bundle; images are pulled by Podman.",
                 {}});
  }
  return static_cast<std::size_t>(status.st_size);
}

Result<std::string> read_open(int fd, const std::string& path) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return Fail(system_error("Reading " + in_quotes(path), errno));
  const auto size = bundle_size(path, status);
  if (!size) return Fail(size.error());
  std::string bytes(*size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(system_error("Reading " + in_quotes(path), errno));
    if (count == 0) return refused(path, "became shorter while it was read", "Try again when it is complete.");
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

Result<std::string> read_bundle(const std::string& path) {
  // Not blocking, so that a named pipe is refused instead of waited for.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const std::string why = std::generic_category().message(errno);
    return refused(path, "cannot be opened: " + why, "Check the path and its permissions.");
  }
  auto bytes = read_open(fd, path);
  close(fd);
  return bytes;
}

void print_names(Output& output, const Json& release, const char* field, const std::string& title) {
  const auto names = release.find(field);
  if (names == release.end() || !names->is_array() || names->empty()) return;
  output.line("  " + title + ":");
  for (const Json& name : *names) {
    if (name.is_string()) output.line("    " + escape_controls(name.get<std::string>()));
  }
}

}  // namespace

Error with_upload_hint(Error error) {
  if (error.code == Code::release_not_found && error.action.empty()) error.action = kUploadHint;
  return error;
}

int upload_release(const Context& context, const std::string& path) {
  Output& output = context.output;
  auto bytes = read_bundle(path);
  if (!bytes) return output.fail(bytes.error());
  const std::uint64_t extra_ms = bytes->size() / kUploadBytesPerMs;
  const auto answer = context.api.send({.method = "POST",
                                        .path = "/api/releases",
                                        .content_type = "application/gzip",
                                        .body = Secret(*std::move(bytes)),
                                        .extra_ms = extra_ms});
  if (!answer) return output.fail(answer.error());
  const Json& release = answer->data;
  if (!integer_field(release, "version")) return output.fail(context.api.garbled("it names no version"));
  output.data(release);
  const std::string version = shown(release, "version");
  const std::string title = shown(release, "deployment_name") + " v" + version;
  output.success(answer->status == 201 ? title + " uploaded" : title + " is already there: its bytes are the same");
  output.line("  Size: " + shown(release, "bundle_size_bytes") + " bytes");
  output.line("  SHA-256: " + shown(release, "sha256"));
  output.line("\nDeploy it with: leger deploy install " + version);
  return kDone;
}

int list_releases(const Context& context, const ListReleasesOptions& options) {
  Output& output = context.output;
  std::string query;
  if (!options.name.empty()) query += "&name=" + percent_encode(options.name);
  if (options.limit != 0) query += "&limit=" + std::to_string(options.limit);
  if (!query.empty()) query.front() = '?';
  const auto data = context.api.get("/api/releases" + query);
  if (!data) return output.fail(data.error());
  const auto releases = data->find("releases");
  if (releases == data->end() || !releases->is_array()) {
    return output.fail(context.api.garbled("it sends no list of releases"));
  }
  output.data(*data);
  if (releases->empty()) {
    output.line("No releases\n\n" + std::string(kUploadHint));
    return kDone;
  }
  std::vector<Row> rows{{Cell("Version"), Cell("Name"), Cell("Bytes"), Cell("Files"), Cell("Created")}};
  for (const Json& release : *releases) {
    rows.push_back({shown(release, "version"), shown(release, "deployment_name"), shown(release, "bundle_size_bytes"),
                    shown(release, "file_count"), shown(release, "created_at")});
  }
  output.table(rows);
  output.line("\nTotal: " + shown(*data, "total_count") + " releases");
  return kDone;
}

int show_release(const Context& context, const std::string& version) {
  Output& output = context.output;
  const auto data = context.api.get("/api/releases/" + percent_encode(version));
  if (!data) return output.fail(with_upload_hint(data.error()));
  if (!integer_field(*data, "version")) return output.fail(context.api.garbled("it names no version"));
  output.data(*data);
  output.line(shown(*data, "deployment_name") + " v" + shown(*data, "version"));
  output.line("  Created: " + shown(*data, "created_at"));
  output.line("  Size: " + shown(*data, "bundle_size_bytes") + " bytes");
  output.line("  SHA-256: " + shown(*data, "sha256"));
  output.line("  Stored as: " + shown(*data, "r2_path"));
  print_names(output, *data, "files", "Files");
  print_names(output, *data, "services", "Services");
  print_names(output, *data, "secrets_required", "Secrets");
  return kDone;
}

}  // namespace leger
