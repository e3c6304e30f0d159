#include "cli/releases_upload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "backend/base/file_handle.h"
#include "backend/base/text.h"
#include "cli/progress_bar.h"
#include "quadlets/packer.h"

namespace leger {
namespace {

constexpr std::size_t kMaxBundleBytes = std::size_t{16} << 20;
constexpr std::uint64_t kUploadBytesPerMs = 64;  // the slowest line that an upload is waited for

Fail refused(const std::string& what, std::string_view why, std::string action) {
  return Fail({Code::invalid_bundle, what + " " + std::string(why) + ".", std::move(action), {}});
}

Fail too_large(const std::string& what) {
  return Fail({Code::bundle_too_large,
               what + " is larger than 16 MiB.",
               "Keep data out of the bundle; images are pulled by Podman.",
               {}});
}

// Up to `most` bytes of `fd`, fewer at its end.
Result<std::string> read_up_to(int fd, std::size_t most, const std::string& what) {
  std::string bytes(most, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Fail(system_error("Reading " + what, errno));
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

Result<std::string> read_standard_input(int fd) {
  const std::string what = "Standard input";
  if (isatty(fd) == 1) return refused(what, "is a terminal", "Send a bundle:\n  leger releases upload - < FILE");
  auto bytes = read_up_to(fd, kMaxBundleBytes + 1, what);
  if (bytes && bytes->empty()) return refused(what, "is empty", "Send a bundle: a .tar.gz.");
  if (bytes && bytes->size() > kMaxBundleBytes) return too_large(what);
  return bytes;
}

Result<std::string> read_file(int fd, const struct stat& status, const std::string& what) {
  if (!S_ISREG(status.st_mode)) {
    return refused(what, "is neither a regular file nor a folder", "Give the path of a folder or of a .tar.gz file.");
  }
  if (status.st_size == 0) return refused(what, "is empty", "Make the bundle anew.");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > kMaxBundleBytes) return too_large(what);
  auto bytes = read_up_to(fd, size, what);
  if (bytes && bytes->size() < size) {
    return refused(what, "became shorter while it was read", "Try again when it is complete.");
  }
  return bytes;
}

Result<std::string> pack(Output& output, const UploadOptions& options) {
  auto packed = pack_folder(options.source, {.name = options.name, .limits = {}});
  if (!packed) return Fail(packed.error());
  note_skipped(output, packed->skipped);
  return std::move(packed->bytes);
}

Fail misplaced_name() {
  return Fail({Code::invalid_request,
               "--name is for a folder that is packed; a bundle has its name in its manifest.json.",
               "Leave --name out.",
               {}});
}

Result<std::string> bundle_of(const Context& context, const UploadOptions& options) {
  const bool has_name = !options.name.empty();
  if (options.source == "-") return has_name ? misplaced_name() : read_standard_input(context.io.in);
  const std::string what = in_quotes(options.source);
  // Not blocking, so that a named pipe is refused instead of waited for.
  const FileHandle file(open(options.source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    return refused(what, "cannot be opened: " + std::generic_category().message(errno),
                   "Check the path and its permissions.");
  }
  struct stat status{};
  if (fstat(file.get(), &status) != 0) return Fail(system_error("Reading " + what, errno));
  if (S_ISDIR(status.st_mode)) return pack(context.output, options);
  return has_name ? misplaced_name() : read_file(file.get(), status, what);
}

Result<ApiAnswer> send(const Context& context, std::string bytes) {
  ProgressBar bar(context.output, "Uploading");
  const std::uint64_t extra_ms = bytes.size() / kUploadBytesPerMs;
  return context.api.send({.method = "POST",
                           .path = "/api/releases",
                           .content_type = "application/gzip",
                           .body = Secret(std::move(bytes)),
                           .extra_ms = extra_ms,
                           .on_upload = [&bar](std::uint64_t sent, std::uint64_t all) { bar.show(sent, all); }});
}

}  // namespace

int upload_release(const Context& context, const UploadOptions& options) {
  Output& output = context.output;
  auto bytes = bundle_of(context, options);
  if (!bytes) {
    return bytes.error().code == Code::invalid_request ? output.usage(bytes.error()) : output.fail(bytes.error());
  }
  const auto answer = send(context, *std::move(bytes));
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

void note_skipped(Output& output, const std::vector<std::string>& skipped) {
  constexpr std::size_t kMost = 10;
  if (skipped.empty()) return;
  std::string names;
  for (std::size_t i = 0; i < std::min(skipped.size(), kMost); ++i) names += (i == 0 ? "" : ", ") + skipped[i];
  if (skipped.size() > kMost) names += " and " + std::to_string(skipped.size() - kMost) + " more";
  output.note("hidden, and so left out of the bundle: " + names);
}

}  // namespace leger
