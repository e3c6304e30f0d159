#pragma once

// One generation of an app: its units, the secret versions it was made with, and what removing it must take along. It
// is kept as JSON in the deployment's journal. Values.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "quadlets/bundle.h"
#include "quadlets/generator.h"

namespace leger {

struct AppUnit {
  std::string name;                  // hello.service
  std::string source;                // hello.container, relative to the app's folder
  std::string image;                 // of containers; empty for others
  std::vector<std::string> secrets;  // Podman secrets that it uses
  std::string text;                  // generated, with the app's live folder in its paths; not kept in the journal

  // container, pod or kube: something that runs. The others are made by what runs.
  bool is_service() const;
};

struct Generation {
  std::vector<AppUnit> units;
  std::map<std::string, std::uint64_t> secrets;  // name and version
  std::vector<std::string> networks;             // Podman's names
  std::vector<std::string> volumes;
  std::map<std::string, std::string> files;  // SHA-256 of each bundled file by its path in the folder; not journaled
  std::uint64_t folder_identity = 0;         // Installer::identity of its folder, wherever that stands
  std::string replaces;                      // the deployment whose generation was live before; empty: none
};

// The generation that `folder` (staged or live) holds, from the generator's dry run: its units are those made from
// files in `folder`, their texts are rewritten as if it stood at `live_folder`. `missing` gets the quadlets of the
// folder that the generator made nothing of. Blocking reads; for the pool.
Result<Generation> read_generation(const std::string& folder, const std::string& live_folder, const DryRun& dry_run,
                                   std::vector<std::string>& missing);

std::string to_json(const Generation& generation);
// internal_error for text that to_json did not make.
Result<Generation> generation_from_json(const std::string& text);

}  // namespace leger
