#include "cli/secret_files.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Descriptor;
using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kSet = "POST /api/secrets/set";
constexpr const char* kList = "GET /api/secrets/list?limit=10000";

std::string created(const std::string& name) {
  return success(R"({"name":")" + name + R"(","version":1,"message":"created successfully"})");
}

void script_values(Harness& harness) {
  harness.api->reply(kList, 200, success(R"({"secrets":[{"name":"a"},{"name":"b.c"}],"total_count":2})"));
  harness.api->reply("GET /api/secrets/get/a", 200, success(R"({"name":"a","value":"one\n$two","version":3})"));
  harness.api->reply("GET /api/secrets/get/b%2Ec", 200, success(R"({"name":"b.c","value":"\"x\"","version":1})"));
  harness.api->reply("GET /api/secrets/get/bin", 200, success(R"({"name":"bin","value_base64":"/wA=","version":2})"));
  harness.api->reply("GET /api/secrets/get/nul", 200, success(R"({"name":"nul","value":"a\u0000","version":2})"));
}

std::string read_file(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

constexpr const char* kDotenv = "a=\"one\\n\\$two\"\nb.c=\"\\\"x\\\"\"\n";

TEST_CASE("secrets import sets one after another and says so") {
  Harness harness;
  harness.api->reply(kSet, 201, created("a"));
  harness.api->reply(kSet, 200, success(R"({"name":"b","version":4,"message":"updated successfully"})"));
  const Ran ran = harness.run({"secrets", "import", harness.write_file(".env", "export a=1 # x\nb='2\n3'\n")});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == "✓ a created successfully, version 1\n✓ b updated successfully, version 4\n\nTotal: 2 secrets\n");
  const auto seen = harness.api->seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].body == R"({"name":"a","value":"1"})");
  CHECK(seen[1].body == R"({"name":"b","value":"2\n3"})");
}

TEST_CASE("secrets import reads standard input, and --json gives what legerd said") {
  Harness harness;
  harness.api->reply(kSet, 201, created("a"));
  const Ran ran = harness.run({"secrets", "import", "-", "--json"}, "a=1\n");
  CHECK(ran.exit == 0);
  CHECK(ran.out == R"({"secrets":[{"name":"a","version":1,"message":"created successfully"}]})"
                   "\n");
}

TEST_CASE("secrets import --dry-run lists the names and sends nothing") {
  Harness harness;
  const Ran ran = harness.run({"secrets", "import", "-", "--dry-run"}, "a=hunter2\nb=hunter3\n");
  CHECK(ran.exit == 0);
  CHECK(ran.out == "a\nb\n\nTotal: 2 secrets. Nothing was sent.\n");
  CHECK(harness.run({"secrets", "import", "-", "--dry-run", "--json"}, "a=1").out ==
        "{\"secrets\":[{\"name\":\"a\"}]}\n");
  CHECK(harness.api->seen().empty());
}

TEST_CASE("a wrong line anywhere keeps the whole file from being imported") {
  Harness harness;
  const std::string path = harness.write_file("x.env", "a=1\nb=2\nhunter2\n");
  const Ran ran = harness.run({"secrets", "import", path});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err == "\"" + path +
                       "\", line 3: there is no = after a name.\n\n"
                       "Nothing was sent. Mend the line and try again.\n");
  CHECK(harness.run({"secrets", "import", "-"}, "").err.starts_with("Standard input holds no secret."));
  CHECK(harness.run({"secrets", "import", "/absent"}).err.starts_with("The file \"/absent\" cannot be read"));
  CHECK(harness.run({"secrets", "import", "/dev/zero"}).err.contains("is longer than 16777216 bytes."));
  CHECK(harness.api->seen().empty());
}

TEST_CASE("an import that fails says which secrets are set and which are not") {
  Harness harness;
  harness.api->reply(kSet, 201, created("a"));
  harness.api->reply(kSet, 507, failure(R"("insufficient_storage","message":"The disk is full.")"));
  const std::string path = harness.write_file("x.env", "a=1\nb=hunter2\nc=3\n");
  const Ran ran = harness.run({"secrets", "import", path});
  CHECK(ran.exit == 1);
  CHECK(ran.out == "✓ a created successfully, version 1\n");
  CHECK(ran.err ==
        "Secret \"b\": The disk is full.\n"
        "  set:\n    a\n"
        "  not_set:\n    b\n    c\n"
        "\nImport again when this is mended; what is set already gets one more version.\n");
  const Ran json = harness.run({"secrets", "import", path, "--json"});
  CHECK(json.out.empty());
  CHECK(json.err.contains(R"("details":{"not_set":["a","b","c"]})"));
}

TEST_CASE("an import whose answer does not come leaves open whether that secret is set") {
  Harness harness;
  harness.api->reply(kSet, 201, created("a"));
  harness.api->reply_bytes(kSet, "");
  const Ran ran = harness.run({"secrets", "import", "-"}, "a=1\nb=2\nc=3\n");
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("  set:\n    a\n  unknown:\n    b\n  not_set:\n    c\n"));
  CHECK(harness.api->seen().size() == 2);
}

TEST_CASE("secrets export prints all secrets as dotenv that import takes") {
  Harness harness;
  script_values(harness);
  const Ran ran = harness.run({"secrets", "export"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == kDotenv);
  harness.api->reply(kSet, 201, created("a"));
  CHECK(harness.run({"secrets", "import", "-"}, ran.out).exit == 0);
  const auto seen = harness.api->seen();
  CHECK(seen[seen.size() - 2].body == R"({"name":"a","value":"one\n$two"})");
  CHECK(seen.back().body == R"({"name":"b.c","value":"\"x\""})");
}

TEST_CASE("secrets export of names asks for those alone, each once") {
  Harness harness;
  script_values(harness);
  CHECK(harness.run({"secrets", "export", "b.c", "b.c"}).out == "b.c=\"\\\"x\\\"\"\n");
  CHECK(harness.api->seen().size() == 1);
  CHECK(harness.run({"secrets", "export", "--json", "a", "bin"}).out ==
        R"({"secrets":[{"name":"a","value":"one\n$two","version":3},)"
        R"({"name":"bin","value_base64":"/wA=","version":2}]})"
        "\n");
}

TEST_CASE("secrets export --output makes a file that only its owner reads") {
  Harness harness;
  script_values(harness);
  const std::string path = harness.write_file("out.env", "old");
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  const Ran ran = harness.run({"secrets", "export", "--output", path});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("✓ 2 secrets exported to " + path + "\n"));
  CHECK_FALSE(ran.out.contains("two"));
  CHECK(read_file(path) == kDotenv);
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  const Ran json = harness.run({"secrets", "export", "-o", path, "--json"});
  CHECK(json.out == R"({"secrets":[{"name":"a","version":3},{"name":"b.c","version":1}],"file":")" + path + "\"}\n");
}

TEST_CASE("a secret that is not text is refused by name before anything is written") {
  Harness harness;
  script_values(harness);
  const std::string path = harness.write_file("out.env", "old");
  for (const std::string name : {"bin", "nul"}) {
    const Ran ran = harness.run({"secrets", "export", "a", name});
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("Secret \"" + name + "\" is not text"));
    CHECK(harness.run({"secrets", "export", "a", name, "--output", path}).exit == 1);
    CHECK(read_file(path) == "old");
  }
}

TEST_CASE("a secret that is absent, or whose answer is garbled, keeps the rest from being exported") {
  Harness harness;
  script_values(harness);
  harness.api->reply("GET /api/secrets/get/x", 404, failure(R"("secret_not_found")"));
  harness.api->reply("GET /api/secrets/get/y", 200, success(R"({"value_base64":"?"})"));
  harness.api->reply("GET /api/secrets/get/z", 200, success("[]"));
  for (const char* name : {"x", "y", "z", "a/b"}) {
    CAPTURE(name);
    const Ran ran = harness.run({"secrets", "export", "a", name});
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK_FALSE(ran.err.contains("bug"));
  }
}

TEST_CASE("a file that cannot be made, or whose folder is in use, is named") {
  Harness harness;
  script_values(harness);
  CHECK(harness.run({"secrets", "export", "--output", "/absent/out.env"}).err.contains("/absent"));
  const std::string folder = harness.folder / "held";
  std::filesystem::create_directory(folder);
  const Descriptor held(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(flock(held.get(), LOCK_EX) == 0);
  const Ran ran = harness.run({"secrets", "export", "--output", folder + "/out.env"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("Another process holds the folder"));
  CHECK_FALSE(std::filesystem::exists(folder + "/out.env"));
}

}  // namespace
}  // namespace leger
