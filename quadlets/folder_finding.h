#pragma once

// What there is to say about a folder that is to become a bundle, file by file. A value.

#include <cstddef>
#include <string>
#include <vector>

#include "backend/base/error.h"

namespace leger {

enum class Severity { error, warning, note };

struct FolderFinding {
  Severity severity = Severity::error;
  std::string file;      // path in the folder, fit to be shown; empty: the folder as a whole
  std::size_t line = 0;  // from 1; 0: the whole file
  std::string why;       // the end of a sentence that begins with the file and the line, or with "the folder"
  Code code = Code::invalid_bundle;  // of an error
};

using FolderFindings = std::vector<FolderFinding>;

}  // namespace leger
