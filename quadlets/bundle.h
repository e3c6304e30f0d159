#pragma once

// A release bundle: a .tar.gz with manifest.json, checked entry by entry before anything of it is believed, and unpacked
// into a new folder. Blocking: for the pool, or a command line. Never libarchive's own disk writer (threats T32).

#include <cstdint>
#include <string>
#include <vector>

#include "backend/base/error.h"

namespace leger {

struct BundleLimits {
  std::uint64_t packed_bytes = 16 << 20;
  std::uint64_t unpacked_bytes = 64 << 20;
  std::uint64_t file_bytes = 4 << 20;
  std::uint64_t ratio = 100;             // unpacked to packed, beyond the first MiB unpacked
  std::uint32_t entries = 256;
  std::uint32_t levels = 4;
  std::uint32_t path_bytes = 255;
};

struct ManifestService {
  std::string name;
  std::string type;
  std::string image;
};

struct Manifest {
  std::string deployment_name;
  std::vector<std::string> files;
  std::vector<ManifestService> services;
  std::vector<std::string> secrets_required;
};

// `[a-z0-9][a-z0-9_-]{0,62}`, not digits only, not `latest`.
bool is_deployment_name(std::string_view name);

// Whether a file's name has the ending of a quadlet: .container .volume .network .pod .kube .image .build .artifact.
bool is_quadlet(std::string_view path);

// `[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}`, and not `list`, `set`, `get`, `sync`.
bool is_secret_name(std::string_view name);

// Reads manifest.json's text; invalid_bundle names the field that is wrong. Unknown fields are ignored.
Result<Manifest> parse_manifest(std::string_view text);

// Reads the whole bundle in `path` and gives its manifest, or invalid_bundle / bundle_too_large saying which entry and
// why. Every rule of the contract's section Bundle; memory is bounded by one block and the manifest.
Result<Manifest> check_bundle(const std::string& path, const BundleLimits& limits = {});

// check_bundle and, in the same pass, the files into `folder`, which must not exist yet (0700, files 0600, all fsynced).
// On failure `folder` is gone again.
Result<Manifest> unpack_bundle(const std::string& path, const std::string& folder, const BundleLimits& limits = {});

}  // namespace leger
