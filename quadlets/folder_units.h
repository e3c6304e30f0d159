#pragma once

// The quadlets among the files of a bundle, each with its drop-ins, and what a manifest says of them. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "quadlets/folder_reader.h"
#include "quadlets/manifest.h"
#include "quadlets/unit_file.h"

namespace leger {

// An entry and where it stands.
struct PlacedEntry {
  UnitEntry entry;
  std::string file;
};

struct FolderUnit {
  std::string path;
  std::string name;                  // without folder and ending: hello
  std::string type;                  // the ending without its dot: container
  std::string section;               // the one that the generator reads, as Container
  std::vector<PlacedEntry> entries;  // its own, then those of its drop-ins

  // The last of the type's section with that key: the one that counts. Null where there is none or it is empty.
  const PlacedEntry* find(std::string_view key) const;
  std::string value(std::string_view key) const;
  std::vector<std::string> secrets() const;
};

// By path.
std::vector<FolderUnit> units_of(const FolderFiles& files);

// The unit that a drop-in would change, from its path: `hello.container` of `hello.container.d/x.conf`; empty for a
// file that is no drop-in.
std::string dropin_unit(std::string_view path);

// `hello.container` of `units/hello.container`.
std::string_view file_name(std::string_view path);

// What runs: containers, pods and kube units, with their images. An image that another unit of the folder pulls or
// builds is named as that unit names it.
std::vector<ManifestService> services_of(const std::vector<FolderUnit>& units);

// Podman's secrets that the units name, sorted, without duplicates.
std::vector<std::string> secrets_of(const std::vector<FolderUnit>& units);

}  // namespace leger
