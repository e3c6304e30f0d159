#include "backend/service/shadow_folder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(entry.path().lexically_relative(folder).string());
  }
  return files;
}

}  // namespace

TEST_CASE("A shadow has an empty file for each drop-in that the live folder alone has") {
  const TemporaryFolder folder;
  const std::string live = folder / "live";
  const std::string staging = folder / "staging";
  const std::string shadow = folder / "shadow";
  for (const std::string file : {"web.container.d/10.conf", "web.container.d/20.conf", "sub/db.container.d/10.conf",
                                 "web.container", "conf/site.conf", "web.container.d/notes.txt"}) {
    std::filesystem::create_directories(std::filesystem::path(live + "/" + file).parent_path());
    write_file(live + "/" + file, "x");
  }
  std::filesystem::create_directories(staging + "/web.container.d");
  write_file(staging + "/web.container.d/20.conf", "y");
  REQUIRE(make_shadow(staging, live, shadow));
  CHECK(files_in(shadow) == std::set<std::string>{"web.container.d/10.conf", "sub/db.container.d/10.conf"});
  CHECK(read_file(shadow + "/web.container.d/10.conf").empty());
}

TEST_CASE("There is no shadow where no drop-in goes, and an error where there is nothing to look at") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "live");
  write_file(folder / "live/web.container", "x");
  REQUIRE(make_shadow(folder / "staging", folder / "live", folder / "shadow"));
  CHECK_FALSE(std::filesystem::exists(folder / "shadow"));
  CHECK_FALSE(make_shadow(folder / "staging", folder / "absent", folder / "shadow"));
}

}  // namespace leger::test
