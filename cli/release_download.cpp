#include "cli/release_download.h"

#include <sodium.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "backend/base/text.h"
#include "cli/progress_bar.h"
#include "cli/release_ref.h"
#include "cli/saved_file.h"
#include "quadlets/bundle.h"
#include "quadlets/manifest.h"

namespace leger {
namespace {

constexpr std::uint64_t kDownloadBytesPerMs = 64;  // the slowest line that a download is waited for

// What legerd says that the bundle is.
struct Bundle {
  std::size_t bytes = 0;
  std::string sha256;
};

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

Result<Bundle> bundle_of(const ApiClient& api, const FoundRelease& release) {
  const auto bytes = integer_field(release.data, "bundle_size_bytes");
  auto sha256 = text_field(release.data, "sha256");
  if (!bytes || *bytes <= 0) return Fail(api.garbled("it does not say how large the bundle is"));
  if (!sha256 || sha256->empty()) return Fail(api.garbled("it does not say the SHA-256 of the bundle"));
  if (std::cmp_greater(*bytes, BundleLimits{}.packed_bytes)) {
    return Fail(api.garbled("it has a bundle of " + std::to_string(*bytes) + " bytes, and none may be as large"));
  }
  return Bundle{static_cast<std::size_t>(*bytes), *std::move(sha256)};
}

// Where it goes when the user does not say. The name is the server's, and becomes a path here.
Result<std::string> default_file(const ApiClient& api, const FoundRelease& release) {
  if (!is_deployment_name(release.name)) return Fail(api.garbled("it names an app " + in_quotes(release.name)));
  return release.name + "-v" + std::to_string(release.version) + ".tar.gz";
}

Result<std::string> fetch_bundle(const Context& context, const FoundRelease& release, const Bundle& bundle) {
  ProgressBar progress(context.output, escape_controls("Downloading " + release.title()));
  auto bytes = context.api.fetch(
      {.path = "/api/releases/" + std::to_string(release.version) + "/download",
       .max_bytes = bundle.bytes,
       .extra_ms = bundle.bytes / kDownloadBytesPerMs,
       .on_received = [&progress, &bundle](std::size_t received) { progress.show(received, bundle.bytes); }});
  if (!bytes) {
    Error error = bytes.error();
    if (error.code == Code::unavailable) {
      error.message = "The download of " + release.title() + " broke off, and nothing of it was kept: " + error.message;
      error.action = "Try again.";
    }
    return Fail(std::move(error));
  }
  const std::string sha256 = sha256_of(*bytes);
  if (bytes->size() == bundle.bytes && sha256 == bundle.sha256) return bytes;
  return Fail({Code::upstream_failed,
               "What came for " + release.title() + " is not what was uploaded: " + std::to_string(bytes->size()) +
                   " bytes with SHA-256 " + sha256 + ", not " + std::to_string(bundle.bytes) + " with " +
                   escape_controls(bundle.sha256) + ". Nothing of it was kept.",
               "Try again. Where it stays so, the file of the release is damaged on the server: upload it anew.",
               {}});
}

// What is wrong with the command line; nothing where all is well.
std::optional<Error> misuse(const Context& context, const DownloadOptions& options) {
  if (options.file != "-") return std::nullopt;
  if (context.output.is_json()) {
    return Error{Code::invalid_request, "-o - and --json both want standard output.", "Leave one of them out.", {}};
  }
  if (isatty(context.io.out) == 1) {
    return Error{Code::invalid_request,
                 "A bundle is nothing for a terminal.",
                 "Name a file with -o FILE, or send it on:\n  leger releases download -o - | tar -tz",
                 {}};
  }
  return std::nullopt;
}

void tell(Output& output, const FoundRelease& release, const Bundle& bundle, const std::string& file) {
  output.data(Json{{"version", release.version},
                   {"deployment_name", release.name},
                   {"sha256", bundle.sha256},
                   {"path", file},
                   {"bundle_size_bytes", bundle.bytes}});
  output.success(release.title() + " downloaded");
  output.line("  File: " + escape_controls(file));
  output.line("  Size: " + std::to_string(bundle.bytes) + " bytes");
  output.line("  SHA-256: " + escape_controls(bundle.sha256));
}

}  // namespace

int download_release(const Context& context, const DownloadOptions& options) {
  Output& output = context.output;
  const auto ref = parse_release_ref(options.release);
  if (!ref) return output.usage(ref.error());
  if (const auto error = misuse(context, options)) return output.usage(*error);
  const auto release = find_release(context.api, *ref);
  if (!release) return output.fail(release.error());
  const auto bundle = bundle_of(context.api, *release);
  if (!bundle) return output.fail(bundle.error());
  const auto file = options.file.empty() ? default_file(context.api, *release) : Result<std::string>(options.file);
  if (!file) return output.fail(file.error());
  const Existing existing = options.force ? Existing::replace : Existing::keep;
  const bool to_file = *file != "-";
  const auto free = to_file ? check_place(*file, existing) : Result<void>();
  if (!free) return output.fail(free.error());
  const auto bytes = fetch_bundle(context, *release, *bundle);
  if (!bytes) return output.fail(bytes.error());
  if (!to_file) {
    output.bytes(*bytes);
    return kDone;
  }
  const auto saved = save_file(*file, *bytes, existing);
  if (!saved) return output.fail(saved.error());
  tell(output, *release, *bundle, *file);
  return kDone;
}

}  // namespace leger
