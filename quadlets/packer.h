#pragma once

// A folder into a release bundle. The same files give the same bytes, wherever they lie and whenever they were written.
// Blocking: for a command line.

#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "quadlets/bundle.h"
#include "quadlets/folder_finding.h"
#include "quadlets/folder_reader.h"
#include "quadlets/manifest.h"

namespace leger {

struct PackOptions {
  std::string name;  // of the app; empty: what manifest.json says, else the folder's own name
  BundleLimits limits;
};

enum class ManifestOrigin { given, made };

// A folder that was read and has its manifest.
struct PreparedFolder {
  FolderFiles files;  // manifest.json among them, where there is one or one could be made
  std::vector<std::string> skipped;
  FolderFindings problems;  // all that keeps it from being packed
  ManifestOrigin origin = ManifestOrigin::made;
  std::optional<Manifest> manifest;
};

// Reads `folder` and its manifest.json, checked as legerd checks it; without one it is made from the units. The error
// is for a folder that cannot be opened at all.
Result<PreparedFolder> prepare_folder(const std::string& folder, const PackOptions& options);

struct PackedFolder {
  std::string bytes;
  Manifest manifest;
  ManifestOrigin origin = ManifestOrigin::made;
  std::vector<std::string> skipped;  // hidden files and folders, fit to be shown
};

// Bytes that check_bundle takes. The error, invalid_bundle or bundle_too_large, names the first file that is refused.
Result<PackedFolder> pack_folder(const std::string& folder, const PackOptions& options);

// A folder's name made to fit the name of an app: lower case, everything else but a-z 0-9 _ - as a dash; empty where
// nothing is left. Not yet judged by is_deployment_name.
std::string fitted_name(std::string_view folder_name);

// `"hello.container", line 3, is no …`, without a full stop.
std::string sentence_of(const FolderFinding& finding);

}  // namespace leger
