#include "cli/releases_pack.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "backend/base/file_handle.h"
#include "backend/base/text.h"
#include "cli/releases_upload.h"
#include "quadlets/packer.h"

namespace leger {
namespace {

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// Whether the bundle would be a file of the very folder: the next one would hold it.
bool lies_within(const std::string& file, const std::string& folder) {
  std::error_code problem;
  const auto absolute = std::filesystem::absolute(file, problem);
  if (problem) return false;
  const auto above = std::filesystem::weakly_canonical(absolute, problem).parent_path();
  if (problem) return false;
  const auto root = std::filesystem::canonical(folder, problem);
  if (problem) return false;
  const auto from_root = above.lexically_relative(root);
  return !from_root.empty() && *from_root.begin() != "..";
}

Result<void> check_target(const Io& io, const Output& output, const PackReleaseOptions& options) {
  if (options.file == "-") {
    if (output.is_json()) {
      return Fail({Code::invalid_request,
                   "With --json standard output is the data's; the bundle cannot go there too.",
                   "Name a file: --output FILE",
                   {}});
    }
    if (isatty(io.out) != 1) return {};
    return Fail({Code::invalid_request,
                 "A bundle is not for a terminal.",
                 "Name a file, or send standard output elsewhere: --output FILE",
                 {}});
  }
  if (!lies_within(options.file, options.folder)) return {};
  return Fail({Code::invalid_request,
               in_quotes(options.file) + " lies in the folder that is packed: the next bundle would hold this one.",
               "Name a file outside of it.",
               {}});
}

Fail cannot_write(const std::string& file, int errno_value) {
  if (errno_value == ENOSPC || errno_value == EDQUOT) {
    return Fail(system_error(in_quotes(file) + " cannot be written", errno_value));
  }
  return Fail({Code::invalid_request,
               in_quotes(file) + " cannot be written: " + std::generic_category().message(errno_value) + ".",
               "Check the path and its permissions.",
               {}});
}

Result<void> write_file(const std::string& file, std::string_view bytes) {
  const FileHandle target(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666));
  if (!target) return cannot_write(file, errno);
  while (!bytes.empty()) {
    const ssize_t written = write(target.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int why = errno;
      struct stat status{};
      // Half a bundle is none; what is no file of ours stays.
      if (fstat(target.get(), &status) == 0 && S_ISREG(status.st_mode)) unlink(file.c_str());
      return cannot_write(file, why);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

void tell(Output& output, const PackedFolder& packed, const std::string& file) {
  const std::string hash = sha256_of(packed.bytes);
  const std::string size = std::to_string(packed.bytes.size());
  const std::string& name = packed.manifest.deployment_name;
  output.data(
      {{"deployment_name", name}, {"file", file}, {"bundle_size_bytes", packed.bytes.size()}, {"sha256", hash}});
  output.success(name + " packed into " + file);
  output.line("  Size: " + size + " bytes");
  output.line("  SHA-256: " + hash);
}

}  // namespace

int pack_release(const Io& io, Output& output, const PackReleaseOptions& options) {
  if (const auto fine = check_target(io, output, options); !fine) return output.usage(fine.error());
  const auto packed = pack_folder(options.folder, {.name = options.name, .limits = {}});
  if (!packed) return output.fail(packed.error());
  note_skipped(output, packed->skipped);
  if (options.file == "-") {
    output.bytes(packed->bytes);
    return kDone;
  }
  if (const auto written = write_file(options.file, packed->bytes); !written) return output.fail(written.error());
  tell(output, *packed, options.file);
  return kDone;
}

}  // namespace leger
