#pragma once

// leger releases download: the bundle of a release, byte for byte as it was uploaded, or nothing. Gives the exit code.

#include <string>

#include "cli/context.h"

namespace leger {

struct DownloadOptions {
  std::string release = "latest";  // as parse_release_ref() reads it
  std::string file;                // `-` for standard output; empty: NAME-vN.tar.gz in the current folder
  bool force = false;              // also over a file that is there
};

int download_release(const Context& context, const DownloadOptions& options);

}  // namespace leger
