#include "cli/output.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/report.h"
#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::Descriptor;
using test::failure;
using test::FakeApi;
using test::Harness;
using test::MemoryFile;
using test::success;
using test::Terminal;

TEST_CASE("the code of a sign-in is asked for on the terminal") {
  Harness harness;
  FakeApi server;
  server.reply("POST /api/auth/exchange", 401, failure(R"({"code":"invalid_token","message":"Unknown code."})"));
  Terminal terminal("ABCD-EFGH-JKLM\n");
  const MemoryFile out;
  Io io = harness.io;
  io.in = terminal.get();
  io.out = out.get();
  io.err = terminal.get();
  CHECK(leger::run({"--server", server.url(), "login", "--no-browser"}, io) == 1);
  CHECK(terminal.screen("Unknown code.").contains("\r\nCode: "));
  CHECK(server.seen().at(0).body.contains("ABCD-EFGH-JKLM"));
}

TEST_CASE("a confirmation is asked on the terminal, and only a yes goes ahead") {
  struct Line {
    const char* typed;
    bool deletes;
  };
  for (const Line& line : std::vector<Line>{
           {"y\n", true}, {"YES\n", true}, {"n\n", false}, {"\n", false}, {"yep\n", false}, {"\x04", false}}) {
    CAPTURE(line.typed);
    Harness harness;
    harness.api->reply("DELETE /api/secrets/key", 200, success(R"({"deleted_at":"2026-11-22T04:05:06Z"})"));
    Terminal terminal(line.typed);
    const MemoryFile out;
    Io io = harness.io;
    io.in = terminal.get();
    io.out = out.get();
    io.err = terminal.get();
    CHECK(run({"secrets", "delete", "key"}, io) == 0);
    const std::string prompt = "Delete secret \"key\"? [y/N] ";
    CHECK(terminal.screen(prompt).contains(prompt));
    CHECK(out.content() ==
          (line.deletes ? "✓ Secret key deleted\n  Deleted at: 2026-11-22T04:05:06Z\n" : "Cancelled\n"));
    CHECK(harness.api->seen().size() == (line.deletes ? 1 : 0));
  }
}

TEST_CASE("a prompt that nobody would see is not asked") {
  Harness harness;
  Terminal terminal("y\n");
  const MemoryFile out;
  Io io = harness.io;
  io.in = terminal.get();
  io.out = terminal.get();
  io.err = out.get();
  CHECK(run({"secrets", "delete", "key"}, io) == 2);
  CHECK(out.content().contains("There is no terminal to ask on."));
}

TEST_CASE("colours are for terminals that want them") {
  Harness harness;
  harness.api->reply("GET /api/services", 200, success(R"({"services":[{"unit":"a","state":"failed"}]})"));
  const auto shown = [&harness](const std::vector<std::string>& arguments) {
    Terminal terminal("");
    const MemoryFile err;
    Io io = harness.io;
    io.out = terminal.get();
    io.err = err.get();
    CHECK(run(arguments, io) == 0);
    return terminal.screen("\r\n");
  };
  CHECK(shown({"status"}) == "a  \x1b[31mfailed\x1b[0m  -\r\n");
  CHECK(shown({"status", "--json"}) == "{\"services\":[{\"unit\":\"a\",\"state\":\"failed\"}]}\r\n");
  harness.io.environment["TERM"] = "dumb";
  CHECK(shown({"status"}) == "a  failed  -\r\n");
  harness.io.environment["TERM"] = "xterm";
  harness.io.environment["NO_COLOR"] = "1";
  CHECK(shown({"status"}) == "a  failed  -\r\n");
}

TEST_CASE("columns are aligned by characters and lines end without blanks") {
  Harness harness;
  const MemoryFile out;
  Io io = harness.io;
  io.out = out.get();
  Output output(io, Style::text);
  output.table({{Cell("é"), Cell("x"), Cell("")}, {Cell("abc"), Cell("")}, {Cell("a\nb"), Cell("y"), Cell("z")}});
  CHECK(out.content() == "é       x\nabc\na\\x0ab  y  z\n");
}

TEST_CASE("an output that cannot be written is exit 1 with the reason") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key", 200, success(R"({"value":"v"})"));
  for (const char* path : {"/dev/full", "/dev/null"}) {
    CAPTURE(path);
    const bool full = std::string(path) == "/dev/full";
    const Descriptor out(open(path, (full ? O_WRONLY : O_RDONLY) | O_CLOEXEC));
    const MemoryFile err;
    Io io = harness.io;
    io.out = out.get();
    io.err = err.get();
    CHECK(run({"secrets", "get", "key"}, io) == 1);
    CHECK(err.content() == (full ? "Standard output cannot be written: No space left on device\n\n"
                                   "Free some disk space, then try again.\n"
                                 : "Standard output cannot be written: Bad file descriptor\n"));
  }
}

TEST_CASE("details of an error are lines for people") {
  struct Line {
    const char* details;
    std::vector<std::string> lines;
  };
  const std::vector<Line> lines{
      {"", {}},
      {"not json", {}},
      {"null", {}},
      {"{}", {}},
      {R"("text")", {"  text"}},
      {R"({"id":"d1","n":3,"on":true,"none":null})", {"  id: d1", "  n: 3", "  on: true"}},
      {R"(["a","b\nc"])", {"  a", "  b", "  c"}},
      {R"({"log":"one\ntwo\n"})", {"  log:", "    one", "    two"}},
      {R"([{"level":"flag","file":"a.container","message":"m"}])", {"  a.container: [flag] m"}},
      {R"([{"message":"m"}])", {"  m"}},
      {R"([{"a":1},{"b":[2,3]}])", {"  a: 1", "  b:", "    2", "    3"}},
      {R"({"deep":{"er":{"x":"\u0007"}}})", {"  deep:", "    er:", "      x: \\x07"}},
  };
  for (const Line& line : lines) {
    CAPTURE(line.details);
    CHECK(report_lines(line.details) == line.lines);
  }
}

}  // namespace
}  // namespace leger
