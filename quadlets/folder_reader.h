#pragma once

// The files of a folder as they would go into a bundle, every rule about names, kinds and sizes judged on the way. No
// link is followed below the folder. Blocking; one thread.

#include <map>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "quadlets/bundle.h"
#include "quadlets/folder_finding.h"

namespace leger {

// The bytes of each file by its path in the bundle, sorted by the path's bytes.
using FolderFiles = std::map<std::string, std::string>;

struct FolderContents {
  FolderFiles files;
  std::vector<std::string> skipped;  // hidden files, and hidden folders with a slash at their end; fit to be shown
  FolderFindings problems;           // all of them errors, in the order of the walk, which is by name
  bool is_whole = true;              // false: the walk ended early, at the 100th problem or where there was too much
};

// Reads at most what `limits` lets into a bundle. invalid_bundle where `folder` cannot be opened.
Result<FolderContents> read_folder(const std::string& folder, const BundleLimits& limits = {});

}  // namespace leger
