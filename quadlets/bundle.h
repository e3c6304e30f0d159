#pragma once

// A release bundle: a .tar.gz with manifest.json, checked entry by entry before anything of it is believed, and
// unpacked into a new folder. Blocking: for the pool, or a command line. Never libarchive's own disk writer (threats
// T32).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "backend/base/error.h"
#include "quadlets/manifest.h"

namespace leger {

struct BundleLimits {
  std::uint64_t packed_bytes = 16 << 20;
  std::uint64_t unpacked_bytes = 64 << 20;  // of the whole tar stream, headers and padding too
  std::uint64_t file_bytes = 4 << 20;
  std::uint64_t manifest_bytes = 256 << 10;
  std::uint64_t ratio = 100;  // what is unpacked beyond the first MiB, to the size of the bundle
  std::uint32_t entries = 256;
  std::uint32_t levels = 4;
  std::uint32_t path_bytes = 255;
};

// Reads the whole bundle in `path` and gives its manifest, or invalid_bundle / bundle_too_large saying which entry and
// why. Every rule of the contract's section Bundle; memory is bounded by a few blocks and the manifest.
Result<Manifest> check_bundle(const std::string& path, const BundleLimits& limits = {});

// The same of a bundle in memory.
Result<Manifest> check_bundle_bytes(std::string_view bytes, const BundleLimits& limits = {});

// check_bundle and, in the same pass, the files into `folder`, which must not exist yet (0700, files 0600, all
// fsynced); manifest.json is among them. On failure `folder` is gone again.
Result<Manifest> unpack_bundle(const std::string& path, const std::string& folder, const BundleLimits& limits = {});

// check_bundle and, in the same pass, the content of the file `name`, a path as clean_path gives it; nothing where the
// bundle has no such file.
Result<std::optional<std::string>> read_bundle_file(const std::string& path, const std::string& name,
                                                    const BundleLimits& limits = {});

}  // namespace leger
