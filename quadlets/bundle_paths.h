#pragma once

// The names of a bundle's entries: what a path may look like, and which are there already. Pure.

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace leger {

struct PathLimits {
  std::uint32_t levels = 4;
  std::uint32_t path_bytes = 255;
};

// `path` without a leading `./` and, of a folder, the `/` at its end; empty for the bundle's own folder (`.` or `./`).
// The error says what is wrong with it, as the end of a sentence.
std::expected<std::string, std::string> clean_path(std::string_view path, PathLimits limits);

// A name as it may be shown: control bytes escaped, cut to 100 bytes.
std::string shown(std::string_view name);

// Every path of one bundle, so that none comes twice, even in another case, and no file is also a folder.
class BundlePaths {
 public:
  // Adds a path that clean_path gave, and the folders above it; the error says what it collides with.
  std::expected<void, std::string> add_file(const std::string& path);
  std::expected<void, std::string> add_folder(const std::string& path);

  bool has_file(const std::string& path) const;

 private:
  enum class Kind { file, folder, implied_folder };
  struct Place {
    std::string path;
    Kind kind;
  };

  std::expected<void, std::string> add_parents(const std::string& path);

  std::map<std::string, Place> places_;  // by the path in lower case
};

}  // namespace leger
