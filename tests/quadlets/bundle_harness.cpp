#include "tests/quadlets/bundle_harness.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/quadlets/archives.h"

namespace leger::test {

namespace fs = std::filesystem;

Bundle::Bundle(std::string_view packed) : path_(folder_ / "bundle.tar.gz") { write_file(path_, packed); }

std::string with_manifest(const std::string& entries, const std::vector<std::string>& files) {
  return tar_file("manifest.json", manifest_for(files)) + entries + tar_end();
}

std::string hello_tar() {
  return with_manifest(tar_file("hello.container", "[Container]\nImage=localhost/hello:latest\n") +
                           tar_file("conf/hello.conf", "greeting=hello\n"),
                       {"hello.container", "conf/hello.conf"});
}

Error refusal(const std::string& packed, const BundleLimits& limits) {
  const Bundle bundle(packed);
  const auto checked = bundle.check(limits);
  const auto unpacked = bundle.unpack(limits);
  REQUIRE_FALSE(checked.has_value());
  REQUIRE_FALSE(unpacked.has_value());
  CHECK(checked.error().message == unpacked.error().message);
  CHECK_FALSE(fs::exists(bundle.target()));
  CHECK_FALSE(checked.error().action.empty());
  return checked.error();
}

Error refused_entry(const std::string& entry) { return refusal(gzip(with_manifest(entry))); }

void check_says(const Error& error, Code code, std::string_view part) {
  CHECK(name_of(error.code) == name_of(code));
  CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
}

bool accepted(const std::string& packed, const BundleLimits& limits) {
  const Bundle bundle(packed);
  const auto checked = bundle.check(limits);
  const auto unpacked = bundle.unpack(limits);
  CHECK(checked.has_value() == unpacked.has_value());
  INFO((checked ? std::string() : checked.error().message));
  CHECK(fs::exists(bundle.target()) == unpacked.has_value());
  return checked.has_value();
}

std::map<std::string, std::string> files_below(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = read_file(entry.path().string());
  }
  return files;
}

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace leger::test
