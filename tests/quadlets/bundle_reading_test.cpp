// Bundles that are read otherwise than from a file into a folder: from memory, and for one of their files.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "quadlets/bundle.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

std::string packed(const std::string& content = "greeting=hello\n", const std::string& more = {}) {
  const std::vector<std::string> files{"web.container", "conf/web.conf"};
  return gzip(tar_file("manifest.json", manifest_for(files)) + tar_folder("./conf/") +
              tar_file("web.container", "[Container]\nImage=localhost/web\n") + tar_file("./conf/web.conf", content) +
              more + tar_end());
}

}  // namespace

TEST_CASE("a bundle in memory is judged as the same bytes in a file") {
  const TemporaryFolder folder;
  std::string flipped = packed();
  flipped[flipped.size() - 5] ^= 1;
  std::string noise(300'000, '\0');
  std::uint32_t state = 1;
  for (char& byte : noise) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (const std::string& bytes :
       {packed(), packed(noise), packed({}), packed() + "x", packed() + packed(), packed().substr(0, 100), flipped,
        packed("a", tar_file("../evil", "x")), packed("a", tar_file("extra.container", "x")), std::string(),
        std::string("x"), gzip("no tar"), packed(std::string((4 << 20) + 1, 'x')), std::string((16 << 20) + 1, 'x')}) {
    CAPTURE(bytes.size());
    write_file(folder / "bundle", bytes);
    const auto in_file = check_bundle(folder / "bundle");
    const auto in_memory = check_bundle_bytes(bytes);
    REQUIRE(in_memory.has_value() == in_file.has_value());
    if (in_file) {
      CHECK(in_memory->files == in_file->files);
    } else {
      CHECK(in_memory.error().code == in_file.error().code);
      CHECK(in_memory.error().message == in_file.error().message);
    }
  }
  CHECK(check_bundle_bytes(packed(noise)).has_value());
  CHECK(check_bundle_bytes(flipped).error().code == Code::invalid_bundle);
}

TEST_CASE("one file of a bundle is found by its path alone, and only in a bundle that is whole") {
  const TemporaryFolder folder;
  write_file(folder / "bundle", packed());
  const auto content = [&folder](const std::string& name) { return read_bundle_file(folder / "bundle", name).value(); };
  CHECK(content("conf/web.conf") == "greeting=hello\n");
  CHECK(content("web.container") == "[Container]\nImage=localhost/web\n");
  CHECK(content("manifest.json")->contains("web.container"));
  for (const char* absent : {"", "conf", "conf/", "./conf/web.conf", "web.conf", "Web.container", "../bundle"}) {
    CAPTURE(absent);
    CHECK(content(absent) == std::nullopt);
  }
  write_file(folder / "bundle", packed({}));
  CHECK(content("conf/web.conf") == "");
  write_file(folder / "bundle", packed("a", tar_file("../evil", "x")));
  CHECK(read_bundle_file(folder / "bundle", "web.container").error().code == Code::invalid_bundle);
  CHECK(read_bundle_file(folder / "absent", "web.container").error().code == Code::invalid_bundle);
}

}  // namespace leger::test
