#pragma once

// leger releases upload: a bundle, or a folder that is packed into one. Gives the exit code.

#include <string>
#include <vector>

#include "cli/context.h"

namespace leger {

struct UploadOptions {
  std::string source;  // a folder, a .tar.gz, or `-` for standard input
  std::string name;    // of the app, for a folder; empty: as pack_folder chooses
};

int upload_release(const Context& context, const UploadOptions& options);

// Tells on standard error what was left out of a bundle because it is hidden; the first few of many.
void note_skipped(Output& output, const std::vector<std::string>& skipped);

}  // namespace leger
