// What this room believes of Podman's generator, held against the real one: run inside the Debian 13 host, by a user
// with a running podman.socket, with the folder quadlets/examples as its argument.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "quadlets/generator.h"
#include "quadlets/unit_file.h"
#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

namespace fs = std::filesystem;

std::string examples;  // the argument, for the test cases that doctest runs

// Quadlets in a folder of an app, and what the generator makes of them.
class App {
 public:
  App() { fs::create_directories(path()); }
  std::string path() const { return folder_ / "app"; }
  void add(const std::string& name, const std::string& text) const { write_file(path() + "/" + name, text); }
  DryRun dry_run() const {
    const SystemClock clock;
    Loop loop(clock);
    Generator generator(loop, {});
    auto result = run(loop, generator.dry_run({folder_.path()}));
    REQUIRE_MESSAGE(result.has_value(), result.error().message);
    return std::move(*result);
  }

 private:
  TemporaryFolder folder_;
};

const GeneratedUnit& unit(const DryRun& result, const std::string& name) {
  const auto found = std::ranges::find(result.units, name, &GeneratedUnit::name);
  REQUIRE_MESSAGE(found != result.units.end(), name);
  return *found;
}

// The values of `option VALUE` in the command line that a unit starts.
std::vector<std::string> option(const GeneratedUnit& unit, const std::string& option) {
  std::vector<std::string> values;
  for (const UnitEntry& entry : parse_unit_file(unit.text)) {
    if (entry.section != "Service" || entry.key != "ExecStart") continue;
    const std::vector<std::string> words = split_words(entry.value);
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == option) values.push_back(words[i + 1]);
    }
  }
  return values;
}

TEST_CASE("the example becomes three units, with its secret and its file mounted from its own folder") {
  const App app;
  fs::copy(examples + "/hello", app.path(), fs::copy_options::recursive);
  const DryRun result = app.dry_run();
  CHECK(result.problems.empty());
  CHECK(result.units.size() == 3);
  unit(result, "hello-data-volume.service");
  unit(result, "hello-network.service");
  const GeneratedUnit hello = unit(result, "hello.service");
  CHECK(hello.source_path == app.path() + "/hello.container");
  CHECK(option(hello, "--secret") == secrets_of_unit(read_file(app.path() + "/hello.container")));
  const auto volumes = option(hello, "-v");
  CHECK(std::ranges::find(volumes, app.path() + "/hello.conf:/etc/hello.conf:ro") != volumes.end());
  CHECK(option(hello, "--publish") == std::vector<std::string>{"127.0.0.1:8080:8080"});
}

TEST_CASE("a bad unit is named and the others are there") {
  const App app;
  app.add("good.container", "[Container]\nImage=localhost/x:latest\n");
  app.add("bad.container", "[Container]\nImage=localhost/x:latest\nFoo=1\n");
  const DryRun result = app.dry_run();
  CHECK(result.units.size() == 1);
  unit(result, "good.service");
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].find("bad.container") != std::string::npos);
  CHECK(result.problems[0].find("Foo") != std::string::npos);
}

TEST_CASE("a file that cannot be parsed takes the units of its folder with it, and is named") {
  const App app;
  app.add("good.container", "[Container]\nImage=localhost/x:latest\n");
  app.add("bad.container", "[Container]\nnot an entry\n");
  const DryRun result = app.dry_run();
  CHECK(result.units.empty());
  REQUIRE(result.problems.size() == 1);
  CHECK(result.problems[0].find("bad.container") != std::string::npos);
}

TEST_CASE("no quadlet at all is no problem") {
  const App app;
  const DryRun result = app.dry_run();
  CHECK(result.units.empty());
  CHECK(result.problems.empty());
}

TEST_CASE("lines that look like the generator's blocks stay inside the unit") {
  const App app;
  app.add("a.container",
          "[Container]\nImage=localhost/x:latest\n[Service]\nX-A=1 \\\n---evil.service---\n\n---evil=x.service---\n");
  const DryRun result = app.dry_run();
  REQUIRE(result.units.size() == 1);
  CHECK(result.units[0].name == "a.service");
}

// Which secrets a unit names is asked before the generator speaks: both must read every spelling alike.
TEST_CASE("the secrets that are read from a unit are those of the generated command line") {
  const std::vector<std::string> spellings = {
      "Secret=a\nSecret=b,type=env\n",
      "Secret=a\\\n,type=env\nSecret=b\n",
      "Secret=a \\\n# comment\n; another\n\n b\n",
      "Secret=a \"b\" 'c'\n",
      "Secret=\"a,target=x y\" b\n",
      "Secret=k\\x41 \\102 \\u0043\n",
      "Secret=a\nSecret=\nSecret=b\n",
      "  Secret \t= \t a \r\n",
      "Secret=a\\\n",
      "Secret=bad\\q a\nSecret=b\n",
      "Secret=\"open\n",
      "Secret=a \"\" b\n",
      "#Secret=a\n;Secret=b\nSecret=c\n",
      "Secret=a\n[Service]\nX-S=1\n[Container]\nSecret=b\n",
      "Secret=a\n  [Service]\nSecret=b\n",
      "Secret=a#b\n",
  };
  for (const std::string& spelling : spellings) {
    CAPTURE(spelling);
    const App app;
    const std::string text = "[Container]\nImage=localhost/x:latest\n" + spelling;
    app.add("a.container", text);
    const DryRun result = app.dry_run();
    REQUIRE(result.problems.empty());
    std::vector<std::string> names;
    for (const std::string& value : option(unit(result, "a.service"), "--secret")) {
      names.push_back(value.substr(0, value.find(',')));
    }
    CHECK(secrets_of_unit(text) == names);
  }
}

}  // namespace
}  // namespace leger::test

int main(int count, char** arguments) {
  if (count < 2) {
    std::cerr << "usage: generator_real_check FOLDER_OF_EXAMPLES [doctest's options]\n";
    return 2;
  }
  leger::test::examples = arguments[1];
  doctest::Context context(count - 1, arguments + 1);
  return context.run();
}
