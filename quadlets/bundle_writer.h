#pragma once

// Files into the bytes of a bundle, which depend on nothing but the files: no time, owner, mode or name of this machine
// is in them. Pure but for the time it takes: for the pool, or a command line.

#include <string>

#include "backend/base/error.h"
#include "quadlets/bundle.h"
#include "quadlets/folder_reader.h"

namespace leger {

// A gzip member of a tar archive with `files` in their order, plain files only; the paths are clean_path's. With
// another release of zlib the same files may give other bytes. bundle_too_large where check_bundle would say so of the
// bundle as a whole.
Result<std::string> write_bundle(const FolderFiles& files, const BundleLimits& limits = {});

}  // namespace leger
