#pragma once

// What the tests of bundles share: a bundle in a file of its own, read both ways, and what must be said of a bad one.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quadlets/bundle.h"
#include "tests/support.h"

namespace leger::test {

inline constexpr std::uint64_t kMiB = 1 << 20;

// A bundle in a file, and what is made of it.
class Bundle {
 public:
  explicit Bundle(std::string_view packed);

  const std::string& path() const { return path_; }
  std::string target() const { return folder_ / "unpacked"; }
  Result<Manifest> check(const BundleLimits& limits = {}) const { return check_bundle(path_, limits); }
  Result<Manifest> unpack(const BundleLimits& limits = {}) const { return unpack_bundle(path_, target(), limits); }

 private:
  TemporaryFolder folder_;
  std::string path_;
};

// A tar archive of `entries` and a manifest that lists `files`, whole.
std::string with_manifest(const std::string& entries, const std::vector<std::string>& files = {});
std::string hello_tar();

// Both readings agree, and a refused bundle leaves nothing: the error of a bundle that must be refused.
Error refusal(const std::string& packed, const BundleLimits& limits = {});
// The same of a bundle that is good but for this entry behind its manifest.
Error refused_entry(const std::string& entry);
void check_says(const Error& error, Code code, std::string_view part);
// Whether both readings take a bundle.
bool accepted(const std::string& packed, const BundleLimits& limits = {});

// Content by path.
std::map<std::string, std::string> files_below(const std::string& folder);
unsigned mode_of(const std::string& path);

}  // namespace leger::test
