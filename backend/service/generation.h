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
  std::string name;                  // hello.service; of a template its default instance, job@one.service
  std::string source;                // hello.container, relative to the app's folder
  std::string image;                 // of containers; empty for others
  std::vector<std::string> secrets;  // Podman secrets that it uses
  std::string pod;                   // name of the unit of the pod that it is in
  std::string text;                  // generated, with the app's live folder in its paths; not kept in the journal
  std::string image_digest;          // docker.io/web@sha256:… of that; empty where it has none
  std::string pull;                  // of Pull= and Policy=: always, newer, missing, never; not journaled
  std::string image_id;              // Podman's, of what `image` named at the time; empty: not known

  // container, pod or kube: something that runs. The others are made by what runs.
  bool is_service() const;
  // build or image: it runs to its end and leaves an image that containers are started from.
  bool is_maker() const;
  // The file that systemd has for it: job@.service where `name` is job@one.service, an instance of a template.
  std::string file() const;
};

struct Generation {
  std::vector<AppUnit> units;
  std::map<std::string, std::uint64_t> secrets;  // name and version
  std::vector<std::string> networks;             // Podman's names, of those that are the app's own
  std::vector<std::string> volumes;
  std::vector<std::string> found_networks;  // those of its units that somebody else had made: never removed
  std::vector<std::string> found_volumes;
  std::vector<std::string> instances;  // of templates that go: somebody started them, and they are stopped with those
  std::map<std::string, std::string> files;  // SHA-256 of each bundled file by its path in the folder; not journaled
  std::uint64_t folder_identity = 0;         // Installer::identity of its folder, wherever that stands
  std::string replaces;                      // the deployment whose generation was live before; empty: none
  std::string release_sha256;                // of the bundle that it was unpacked from
  bool is_quarantined = false;               // it did not start, or was not healthy
  bool has_dropped_leftovers = false;        // what only the one before had is out of Podman
};

// The generation that `folder` (staged or live) holds, from the generator's dry run: its units are those made from
// files in `folder`, their texts are rewritten as if it stood at `live_folder`. `missing` gets the quadlets of the
// folder that the generator made nothing of. Blocking reads; for the pool.
Result<Generation> read_generation(const std::string& folder, const std::string& live_folder, const DryRun& dry_run,
                                   std::vector<std::string>& missing);

// Whether systemd has such a file of it, whatever instance of a template is the default one.
bool has_file(const Generation& generation, const std::string& file);

std::string to_json(const Generation& generation);
// internal_error for text that to_json did not make.
Result<Generation> generation_from_json(const std::string& text);

}  // namespace leger
