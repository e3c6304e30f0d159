// Any bytes as a bundle: refused with a reason, or a manifest whose names keep the rules. The first byte of the input
// says whether the rest is the file itself or a tar archive that gzip still has to be put around: a fuzzer does not
// find its way through a check sum.

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "backend/base/file_handle.h"
#include "quadlets/bundle.h"

namespace {

std::string stored_gzip(const std::uint8_t* bytes, std::size_t size) {
  z_stream stream{};
  if (deflateInit2(&stream, 0, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string packed(deflateBound(&stream, size) + 64, '\0');
  stream.next_in = const_cast<Bytef*>(bytes);
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A file without a name, opened again by its number.
std::string path_of(const leger::FileHandle& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string packed = (bytes[0] & 1) != 0 ? stored_gzip(bytes + 1, size - 1)
                                                 : std::string(reinterpret_cast<const char*>(bytes + 1), size - 1);
  const leger::FileHandle file(memfd_create("bundle", MFD_CLOEXEC));
  expect(::write(file.get(), packed.data(), packed.size()) == static_cast<ssize_t>(packed.size()));
  const auto manifest = leger::check_bundle(path_of(file));
  if (!manifest) {
    expect(!manifest.error().message.empty() && manifest.error().message.size() < 2000);
    return 0;
  }
  expect(leger::is_deployment_name(manifest->deployment_name));
  for (const std::string& name : manifest->files) expect(!name.starts_with('/') && name.find("..") != 0);
  for (const std::string& name : manifest->secrets_required) expect(leger::is_secret_name(name));
  return 0;
}
