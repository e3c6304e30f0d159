// The command line itself: help, flags, what is wrong with it.

#include "cli/commands.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::Harness;
using test::Ran;
using test::success;

using Arguments = std::vector<std::string>;

TEST_CASE("the version is printed alone") {
  Harness harness;
  const Ran ran = harness.run({"--version"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "leger " LEGER_VERSION "\n");
}

TEST_CASE("every command has help with examples, and help asks no server") {
  Harness harness;
  harness.api.reset();
  const std::vector<Arguments> commands{
      {},
      {"secrets"},
      {"secrets", "set"},
      {"secrets", "list"},
      {"secrets", "get"},
      {"secrets", "delete"},
      {"secrets", "history"},
      {"secrets", "rollback"},
      {"secrets", "import"},
      {"secrets", "export"},
      {"run"},
      {"audit"},
      {"audit", "verify"},
      {"admin"},
      {"admin", "rotate-key"},
      {"admin", "rotate-kek"},
      {"releases"},
      {"releases", "upload"},
      {"releases", "validate"},
      {"releases", "pack"},
      {"releases", "list"},
      {"releases", "show"},
      {"releases", "download"},
      {"releases", "delete"},
      {"releases", "diff"},
      {"deploy"},
      {"deploy", "install"},
      {"deploy", "list"},
      {"deploy", "remove"},
      {"status"},
      {"config"},
      {"config", "check"},
      {"auth"},
      {"auth", "login"},
      {"auth", "status"},
      {"auth", "logout"},
      {"login"},
      {"open"},
  };
  for (Arguments command : commands) {
    std::string name = "leger";
    for (const std::string& word : command) name += " " + word;
    CAPTURE(name);
    command.emplace_back("--help");
    const Ran ran = harness.run(command);
    CHECK(ran.exit == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out.contains(name + " "));
    CHECK(ran.out.contains("Examples:\n  "));
    CHECK(ran.out.contains("--json"));
  }
}

TEST_CASE("global flags stand before or after the command") {
  Harness harness;
  harness.api->reply("GET /api/secrets/list?limit=10000", 200, success(R"({"secrets":[]})"));
  const std::string socket = harness.folder / "leger/legerd.sock";
  harness.io.environment.erase("XDG_RUNTIME_DIR");
  for (const Arguments& arguments :
       std::vector<Arguments>{{"--socket", socket, "--json", "secrets", "list"},
                              {"secrets", "--socket", socket, "list", "--json"},
                              {"secrets", "list", "--json", "--socket", socket},
                              {"secrets", "list", "--json", "--socket=" + socket},
                              {"secrets", "list", "--json", "--server", "unix:" + socket}}) {
    const Ran ran = harness.run(arguments);
    CHECK(ran.exit == 0);
    CHECK(ran.out == "{\"secrets\":[]}\n");
  }
}

TEST_CASE("what is unknown or missing on the command line is exit 2 with a hint") {
  struct Line {
    Arguments arguments;
    std::string message;
    std::string hint;
  };
  const std::vector<Line> lines{
      {{"foo"}, "leger knows no command \"foo\".", "leger --help"},
      {{"foo", "--help"}, "leger knows no command \"foo\".", "leger --help"},
      {{"secrets", "foo"}, "leger secrets knows no command \"foo\".", "leger secrets --help"},
      {{"--foo"}, "leger knows no flag \"--foo\".", "leger --help"},
      {{"status", "--foo"}, "leger status knows no flag \"--foo\".", "leger status --help"},
      {{"status", "foo\x1b"}, "leger status knows no argument \"foo\\x1b\".", "leger status --help"},
      {{"secrets", "get", "a", "list"}, "leger secrets get knows no argument \"list\".", "leger secrets get --help"},
      {{"secrets", "get"}, "leger secrets get: name is required", "leger secrets get --help"},
      {{"secrets", "set", "x"}, "leger secrets set: value is required", "leger secrets set --help"},
      {{"releases", "upload"}, "leger releases upload: source is required", "leger releases upload --help"},
  };
  Harness harness;
  for (const Line& line : lines) {
    CAPTURE(line.message);
    const Ran ran = harness.run(line.arguments);
    CHECK(ran.exit == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err == line.message + "\n\n" + line.hint + " tells how it is used.\n");
  }
  CHECK(harness.api->seen().empty());
}

TEST_CASE("a group without a command shows its help on standard error") {
  Harness harness;
  for (const Arguments& arguments : std::vector<Arguments>{{}, {"secrets"}, {"config"}}) {
    const Ran ran = harness.run(arguments);
    CHECK(ran.exit == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.contains("Usage: leger"));
  }
  const Ran ran = harness.run({"secrets", "--json"});
  CHECK(ran.exit == 2);
  CHECK(
      ran.err ==
      R"({"error":{"code":"invalid_request","message":"leger secrets: a command is missing","action":"leger secrets --help tells how it is used."}})"
      "\n");
}

TEST_CASE("a server that is named wrongly is a usage error, one that is refused is a failure") {
  Harness harness;
  CHECK(harness.run({"status", "--server", "host:80"}).exit == 2);
  CHECK(harness.run({"status", "--server", ""}).exit == 2);
  CHECK(harness.run({"status", "--socket", ""}).exit == 2);
  CHECK(harness.run({"status", "--socket"}).exit == 2);
  CHECK(harness.run({"status", "--json=no"}).exit == 2);
  CHECK(harness.run({"status", "--socket", "/a", "--server", "https://b"}).exit == 2);
  CHECK(harness.run({"status", "--server", "http://8.8.8.8"}).exit == 1);
  CHECK(harness.api->seen().empty());
}

TEST_CASE("what comes after -- is no flag") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/--json", 200, success(R"({"value":"v"})"));
  const Ran ran = harness.run({"secrets", "get", "--", "--json"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "v");
}

}  // namespace
}  // namespace leger
