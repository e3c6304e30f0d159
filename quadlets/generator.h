#pragma once

// Podman's Quadlet generator, run dry over folders: what units systemd would get, and what is wrong with them.
// The only program that legerd runs, always with the same arguments (threats T47). Loop thread.

#include <cstdint>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger {

struct GeneratedUnit {
  std::string name;         // hello.service
  std::string source_path;  // SourcePath= of the unit: the quadlet it was made from
  std::string text;
};

struct DryRun {
  std::vector<GeneratedUnit> units;
  // The generator's lines about units that it refused. A file that it cannot even parse takes every unit of the same
  // folder with it (seen with Podman 5.4.2), so `units` may lack more than what is named here.
  std::vector<std::string> problems;
};

class Generator {
 public:
  // `program` is the generator's path; empty: the first that exists of /usr/libexec/podman/quadlet and
  // /usr/lib/podman/quadlet, looked for at each run.
  Generator(Loop& loop, std::string program) : loop_(loop), program_(std::move(program)) {}

  // `folders` are absolute, without a colon, in order of precedence; the generator looks into the folders below them
  // too. `unavailable` where there is no generator (says what to install) or a folder's name cannot be handed to it,
  // upstream_failed when it cannot be started, fails, writes more than 8 MiB or takes longer than `timeout_ms` (it is
  // killed then).
  Task<Result<DryRun>> dry_run(std::vector<std::string> folders, std::uint64_t timeout_ms = 10'000);

 private:
  Loop& loop_;
  std::string program_;
};

// The generator's standard output (`---name.service---` blocks) and standard error as a DryRun. Pure.
DryRun parse_dry_run(std::string_view output, std::string_view diagnostics);

}  // namespace leger
