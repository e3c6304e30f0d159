#pragma once

// leger releases pack and validate: what upload makes of a folder, without a server. Each gives the exit code.

#include <string>

#include "cli/io.h"
#include "cli/output.h"

namespace leger {

struct PackReleaseOptions {
  std::string folder;
  std::string name;  // of the app; empty: as pack_folder chooses
  std::string file;  // where the bundle goes; `-` for standard output
};

struct ValidateOptions {
  std::string folder;
  std::string name;
};

int pack_release(const Io& io, Output& output, const PackReleaseOptions& options);
// 1 where there is an error; warnings and notes are none.
int validate_release(Output& output, const ValidateOptions& options);

}  // namespace leger
