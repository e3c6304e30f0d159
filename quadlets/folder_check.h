#pragma once

// What there is to say about an app's folder before it is uploaded, all at once and without a server: what keeps it
// from being packed, and what would keep its units from being made. The generator's dry run on the host has the last
// word. Blocking: for a command line.

#include <optional>
#include <string>

#include "quadlets/packer.h"

namespace leger {

struct FolderReport {
  FolderFindings findings;           // errors first, then warnings and notes; within those by file and line
  std::optional<Manifest> manifest;  // given or made; nothing where neither could be read
  std::size_t files = 0;             // in the bundle
  std::size_t bytes = 0;             // of the bundle; 0 where it cannot be packed

  std::size_t count(Severity severity) const;
  bool valid() const { return count(Severity::error) == 0; }
};

// The error is for a folder that cannot be opened at all.
Result<FolderReport> check_folder(const std::string& folder, const PackOptions& options);

}  // namespace leger
