#pragma once

// What a release bundle says about itself, manifest.json, and the names that may stand in it. Pure: no file is touched.

#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"

namespace leger {

struct ManifestService {
  std::string name;
  std::string type;   // container, volume, …; empty where the manifest does not say
  std::string image;  // empty where it has none
};

struct Manifest {
  std::string deployment_name;
  std::vector<std::string> files;  // paths in the bundle, without a leading ./, none twice
  std::vector<ManifestService> services;
  std::vector<std::string> secrets_required;
};

// `[a-z0-9][a-z0-9_-]{0,62}`, not digits only, not `latest`.
bool is_deployment_name(std::string_view name);

// Whether a file's name has the ending of a quadlet: .container .volume .network .pod .kube .image .build .artifact.
bool is_quadlet(std::string_view path);

// `[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}`, and not `list`, `set`, `get`, `sync`.
bool is_secret_name(std::string_view name);

// Reads manifest.json's text; invalid_bundle names the field that is wrong. `deployment_name` and `files` must be
// there; unknown fields are ignored, `version` and `created_at` as well: the server numbers and dates releases itself.
Result<Manifest> parse_manifest(std::string_view text);

}  // namespace leger
