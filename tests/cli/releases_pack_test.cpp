#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "quadlets/bundle.h"
#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

namespace fs = std::filesystem;
using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::Terminal;

// A harness with an app's folder `hello`, where no legerd answers.
struct WithApp : Harness {
  WithApp() {
    api.reset();
    fs::remove_all(folder / "leger");
    fs::create_directory(app);
    write_file("hello/hello.container", "[Container]\nImage=localhost/hello:latest\nSecret=test_key\n");
  }
  std::string app = folder / "hello";
};

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST_CASE("releases pack writes a bundle that legerd takes, without a server") {
  WithApp harness;
  const std::string file = harness.folder / "b.tar.gz";
  const Ran ran = harness.run({"releases", "pack", harness.app, "-o", file});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out.starts_with("✓ hello packed into " + file + "\n  Size: " + std::to_string(fs::file_size(file)) +
                            " bytes\n  SHA-256: "));
  const auto manifest = check_bundle(file);
  REQUIRE(manifest.has_value());
  CHECK(manifest->deployment_name == "hello");
  CHECK(manifest->secrets_required == std::vector<std::string>{"test_key"});
  const std::string bytes = content(file);
  CHECK(harness.run({"releases", "pack", harness.app, "-o", "-"}).out == bytes);
  const Ran json = harness.run({"releases", "pack", harness.app, "-o", file, "--json"});
  CHECK(json.exit == 0);
  CHECK(json.out.starts_with("{\"deployment_name\":\"hello\",\"file\":\"" + file +
                             "\",\"bundle_size_bytes\":" + std::to_string(bytes.size()) + ",\"sha256\":\""));
  CHECK(content(file) == bytes);
}

TEST_CASE("releases pack tells the digest of what it wrote") {
  WithApp harness;
  const std::string file = harness.folder / "b";
  const Ran ran = harness.run({"releases", "pack", harness.app, "-o", file, "--name", "other"});
  REQUIRE(ran.out.starts_with("✓ other packed"));
  FILE* tool = popen(("sha256sum " + file).c_str(), "re");
  REQUIRE(tool != nullptr);
  std::string digest(64, '\0');
  CHECK(std::fread(digest.data(), 1, digest.size(), tool) == digest.size());
  CHECK(pclose(tool) == 0);
  CHECK(ran.out.ends_with("  SHA-256: " + digest + "\n"));
}

TEST_CASE("releases pack refuses what would end badly, before anything is written") {
  WithApp harness;
  const auto usage = [&](const std::vector<std::string>& arguments, const std::string& begin) {
    const Ran ran = harness.run(arguments);
    CHECK(ran.exit == 2);
    CHECK(ran.out.empty());
    CHECK_MESSAGE(ran.err.contains(begin), ran.err);
  };
  usage({"releases", "pack", harness.app}, "--output is required");
  usage({"releases", "pack", harness.app, "-o", harness.app + "/b.tar.gz"}, "lies in the folder that is packed");
  usage({"releases", "pack", harness.app, "-o", harness.app + "/new/../b.tar.gz"}, "lies in the folder");
  usage({"releases", "pack", harness.app, "-o", "-", "--json"}, "standard output is the data's");
  const Terminal terminal("");
  const MemoryFile err;
  Io io = harness.io;
  io.out = terminal.get();
  io.err = err.get();
  CHECK(run({"releases", "pack", harness.app, "-o", "-"}, io) == 2);
  CHECK(err.content().starts_with("A bundle is not for a terminal."));
  CHECK(fs::directory_iterator(harness.app)->path().filename() == "hello.container");
}

TEST_CASE("releases pack says where it cannot write, and leaves no half of a bundle") {
  WithApp harness;
  Ran ran = harness.run({"releases", "pack", harness.app, "-o", harness.folder / "absent/b"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("absent/b\" cannot be written: No such file or directory."));
  ran = harness.run({"releases", "pack", harness.app, "-o", "/dev/full"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("/dev/full\" cannot be written"));
  CHECK(fs::exists("/dev/full"));
  ran = harness.run({"releases", "pack", harness.folder / "absent", "-o", harness.folder / "b"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("cannot be opened: No such file or directory."));
  CHECK_FALSE(fs::exists(harness.folder / "b"));
}

TEST_CASE("releases validate says what a good folder would become") {
  WithApp harness;
  const Ran ran = harness.run({"releases", "validate", harness.app});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  const std::string size = std::to_string(harness.run({"releases", "pack", harness.app, "-o", "-"}).out.size());
  CHECK(ran.out == "✓ hello can be uploaded: 2 files, " + size +
                       " bytes packed, 0 warnings\n  Services: hello\n  Secrets: test_key\n");
  CHECK(harness.run({"releases", "validate", harness.app, "--json"}).out ==
        R"({"valid":true,"findings":[],"manifest":{"deployment_name":"hello","files":["hello.container"],)"
        R"("services":[{"name":"hello","type":"container","image":"localhost/hello:latest"}],)"
        R"("secrets_required":["test_key"]}})"
        "\n");
  CHECK(harness.run({"releases", "validate", harness.app, "--name", "other"}).out.starts_with("✓ other can be"));
}

TEST_CASE("releases validate lists all that is wrong, and fails") {
  WithApp harness;
  harness.write_file("hello/.env", "x");
  harness.write_file("hello/web.container", "[Container]\nImage=nginx\nnonsense\n");
  harness.write_file("hello/two words", "x");
  const Ran ran = harness.run({"releases", "validate", harness.app});
  CHECK(ran.exit == 1);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "error: \"two words\" has other characters than A-Z a-z 0-9 @ _ . - in its name.\n"
        "error: \"web.container\", line 3, is no [Section], no Key=value and no comment.\n"
        "warning: \"web.container\", line 2, names the image \"nginx\" without its registry, which Podman may look for "
        "in several.\n"
        "note: \".env\" is hidden and left out.\n"
        "\n2 errors, 1 warning\n");
  const Ran json = harness.run({"releases", "validate", harness.app, "--json"});
  CHECK(json.exit == 1);
  CHECK(json.err.empty());
  CHECK(json.out.starts_with(R"({"valid":false,"findings":[{"level":"error","file":"two words","line":null,)"));
  CHECK(json.out.contains(
      R"({"level":"error","file":"web.container","line":3,"message":"\"web.container\", line 3, is no)"));
  CHECK(json.out.contains(R"("manifest":{"deployment_name":"hello")"));
}

TEST_CASE("releases validate of a folder without an app, or of none") {
  WithApp harness;
  fs::create_directory(harness.folder / "empty");
  const Ran ran = harness.run({"releases", "validate", harness.folder / "empty", "--json"});
  CHECK(ran.exit == 1);
  CHECK(
      ran.out ==
      R"({"valid":false,"findings":[{"level":"error","file":null,"line":null,"message":"The folder is empty."}],"manifest":null})"
      "\n");
  const Ran absent = harness.run({"releases", "validate", harness.folder / "absent"});
  CHECK(absent.exit == 1);
  CHECK(absent.out.empty());
  CHECK(absent.err.contains("absent\" cannot be opened: No such file or directory."));
}

}  // namespace
}  // namespace leger
