#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Harness;
using test::Ran;

// A legerd that says what it was asked, and exits as told.
void put_legerd(const Harness& harness, const std::string& folder, const std::string& script) {
  std::filesystem::create_directory(harness.folder / folder);
  const std::string path = harness.write_file(folder + "/legerd", "#!/bin/sh\n" + script + "\n");
  REQUIRE(chmod(path.c_str(), 0700) == 0);
}

TEST_CASE("config check asks the legerd beside leger and gives its exit code") {
  Harness harness;
  put_legerd(harness, "bin", "echo \"$@\"; echo \"line 3\" >&2; exit 3");
  harness.io.executable = harness.folder / "bin/leger";
  const Ran ran = harness.run({"config", "check", "a b.toml"});
  CHECK(ran.exit == 3);
  CHECK(ran.out == "--check-config --config a b.toml\n");
  CHECK(ran.err == "line 3\n");
  CHECK(harness.run({"config", "check"}).out == "--check-config\n");
  CHECK(harness.api->seen().empty());
}

TEST_CASE("config check finds legerd in PATH, and the one beside leger first") {
  Harness harness;
  put_legerd(harness, "path", "echo from path; echo $MARK");
  harness.io.environment["PATH"] = "relative:" + (harness.folder / "absent") + ":" + (harness.folder / "path");
  harness.io.environment["MARK"] = "environment";
  harness.io.executable = harness.folder / "bin/leger";
  CHECK(harness.run({"config", "check"}).out == "from path\nenvironment\n");
  put_legerd(harness, "bin", "echo beside");
  CHECK(harness.run({"config", "check"}).out == "beside\n");
}

TEST_CASE("config check --json prints data alone") {
  Harness harness;
  put_legerd(harness, "bin", "echo fine; exit $CODE");
  harness.io.executable = harness.folder / "bin/leger";
  harness.io.environment["CODE"] = "0";
  Ran ran = harness.run({"config", "check", "--json"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "{\"valid\":true}\n");
  CHECK(ran.err == "fine\n");
  harness.io.environment["CODE"] = "1";
  ran = harness.run({"config", "check", "--json"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
}

TEST_CASE("config check without legerd says so, and a killed legerd is a failure") {
  Harness harness;
  harness.io.environment["PATH"] = "";
  const Ran ran = harness.run({"config", "check"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "legerd was found neither beside leger nor in PATH.\n\nRun this where legerd is installed.\n");
  put_legerd(harness, "bin", "kill -9 $$");
  harness.io.executable = harness.folder / "bin/leger";
  CHECK(harness.run({"config", "check"}).exit == 1);
}

}  // namespace
}  // namespace leger
