#pragma once

// leger secrets import and export: many secrets at once, as a dotenv file. Each gives the exit code.

#include <string>
#include <vector>

#include "cli/context.h"

namespace leger {

struct ImportOptions {
  std::string file;      // `-` for standard input
  bool dry_run = false;  // only say what would be set
};

struct ExportOptions {
  std::vector<std::string> names;  // none: every secret
  std::string file;                // empty: standard output
};

// The whole file is read and judged before the first secret is set.
int import_secrets(const Context& context, const ImportOptions& options);
// All secrets are fetched and judged before the first byte is written.
int export_secrets(const Context& context, const ExportOptions& options);

}  // namespace leger
