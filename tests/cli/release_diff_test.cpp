#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cli/harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::success;
using test::Terminal;

std::string release(int version, const std::string& files, const std::string& name = "hello") {
  const std::string number = std::to_string(version);
  return success(R"({"version":)" + number + R"(,"deployment_name":")" + name + R"(","sha256":"s)" + number +
                 R"(","files":)" + files + "}");
}

void put_file(Harness& harness, int version, const std::string& path, const std::string& text) {
  harness.api->reply_bytes("GET /api/releases/" + std::to_string(version) + "/files/" + path,
                           test::http_answer(200, text, "text/plain; charset=utf-8"));
}

// Release 1 and its successor 2, in which one file is changed, one new, one gone and one as it was.
void script(Harness& harness) {
  harness.api->reply("GET /api/releases/1", 200, release(1, R"(["same.conf","old.volume","hello.container"])"));
  for (const char* second : {"GET /api/releases/2", "GET /api/releases/latest?name=hello"}) {
    harness.api->reply(second, 200, release(2, R"(["hello.container","same.conf","conf.d/new.conf"])"));
  }
  put_file(harness, 1, "hello%2Econtainer", "[Container]\nImage=a:1\n");
  put_file(harness, 2, "hello%2Econtainer", "[Container]\nImage=a:2\n");
  put_file(harness, 1, "same%2Econf", "x\n");
  put_file(harness, 2, "same%2Econf", "x\n");
  put_file(harness, 1, "old%2Evolume", "[Volume]\n");
  put_file(harness, 2, "conf%2Ed/new%2Econf", "\ta\n");
}

constexpr const char* kDiff =
    "--- /dev/null\n+++ b/conf.d/new.conf\n@@ -0,0 +1 @@\n+\ta\n"
    "--- a/hello.container\n+++ b/hello.container\n@@ -1,2 +1,2 @@\n [Container]\n-Image=a:1\n+Image=a:2\n"
    "--- a/old.volume\n+++ /dev/null\n@@ -1 +0,0 @@\n-[Volume]\n";

TEST_CASE("releases diff shows what changed, what is new and what is gone") {
  Harness harness;
  script(harness);
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"1", "2"}, {"hello@1", "hello"}, {"1"}}) {
    std::vector<std::string> command{"releases", "diff"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Ran ran = harness.run(command);
    CHECK(ran.exit == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out == kDiff);
  }
  CHECK(harness.run({"releases", "diff", "1", "2", "--exit-code"}).exit == 1);
}

TEST_CASE("releases diff --json gives each file with its change") {
  Harness harness;
  script(harness);
  const Ran ran = harness.run({"releases", "diff", "1", "--json"});
  CHECK(ran.exit == 0);
  CHECK(
      ran.out ==
      R"({"from":{"version":1,"deployment_name":"hello"},"to":{"version":2,"deployment_name":"hello"},"files":[)"
      R"({"path":"conf.d/new.conf","change":"added","diff":"--- /dev/null\n+++ b/conf.d/new.conf\n@@ -0,0 +1 @@\n+\ta\n"},)"
      R"({"path":"hello.container","change":"changed","diff":"--- a/hello.container\n+++ b/hello.container\n@@ -1,2 +1,2 @@\n [Container]\n-Image=a:1\n+Image=a:2\n"},)"
      R"({"path":"old.volume","change":"removed","diff":"--- a/old.volume\n+++ /dev/null\n@@ -1 +0,0 @@\n-[Volume]\n"}]})"
      "\n");
}

TEST_CASE("equal releases differ in nothing, and one that is the newest has none to compare it with") {
  Harness harness;
  script(harness);
  Ran ran = harness.run({"releases", "diff", "2", "--exit-code"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.empty());
  CHECK(ran.err == "hello v2 is the newest release of its app: there is none to compare it with.\n");
  CHECK(harness.api->seen().size() == 2);  // the same bytes: no file is asked for
  ran = harness.run({"releases", "diff", "2", "2"});
  CHECK((ran.out + ran.err).empty());
  Harness alike;
  alike.api->reply("GET /api/releases/1", 200, release(1, R"(["a.conf"])"));
  alike.api->reply("GET /api/releases/2", 200, release(2, R"(["a.conf"])"));
  put_file(alike, 1, "a%2Econf", "x");
  put_file(alike, 2, "a%2Econf", "x");
  ran = alike.run({"releases", "diff", "1", "2", "--exit-code"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.empty());
}

TEST_CASE("files that are no text are told apart from text, not from each other") {
  Harness harness;
  harness.api->reply("GET /api/releases/1", 200, release(1, R"(["both","first","text"])"));
  harness.api->reply("GET /api/releases/2", 200, release(2, R"(["both","new","text"])"));
  const std::string no_text = failure(R"({"code":"invalid_request","message":"It is no text."})");
  for (const char* request : {"GET /api/releases/1/files/both", "GET /api/releases/2/files/both",
                              "GET /api/releases/1/files/first", "GET /api/releases/2/files/new"}) {
    harness.api->reply(request, 400, no_text);
  }
  put_file(harness, 1, "text", "x\n");
  put_file(harness, 2, "text", std::string("x\0\n", 3));
  const Ran ran = harness.run({"releases", "diff", "1", "2", "--exit-code"});
  CHECK(ran.exit == 1);
  CHECK(ran.out ==
        "Binary files a/both and b/both may differ\n"
        "Binary files a/first and /dev/null differ\n"
        "Binary files /dev/null and b/new differ\n"
        "Binary files a/text and b/text differ\n");
  CHECK(harness.run({"releases", "diff", "1", "2", "--json"})
            .out.contains(R"({"path":"both","change":"unknown"},{"path":"first","change":"removed"})"));
}

TEST_CASE("a file that cannot be had ends the comparison, and so does a release of another shape") {
  Harness harness;
  script(harness);
  harness.api->reply("GET /api/releases/4", 200, release(4, R"(["gone"])"));
  harness.api->reply("GET /api/releases/4/files/gone", 404, failure(R"({"code":"not_found","message":"No gone."})"));
  Ran ran = harness.run({"releases", "diff", "1", "4"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.starts_with("No gone."));
  harness.api->reply("GET /api/releases/5", 200, release(5, R"("x")"));
  harness.api->reply("GET /api/releases/6", 200, release(6, "[7]"));
  for (const char* other : {"5", "6"}) {
    CHECK(harness.run({"releases", "diff", "1", other}).err.contains("does not answer as legerd does"));
    CHECK(harness.run({"releases", "diff", other, "1"}).err.contains("does not answer as legerd does"));
  }
  CHECK(harness.run({"releases", "diff"}).exit == 2);
  CHECK(harness.run({"releases", "diff", "0"}).exit == 2);
  CHECK(harness.run({"releases", "diff", "1", "@"}).exit == 2);
}

TEST_CASE("a diff is coloured and harmless on a terminal, and the bytes themselves elsewhere") {
  Harness harness;
  harness.api->reply("GET /api/releases/1", 200, release(1, R"(["a\u001b"])"));
  harness.api->reply("GET /api/releases/2", 200, release(2, R"(["a\u001b"])"));
  put_file(harness, 1, "a%1B", "\tx\x1b[2J\n");
  put_file(harness, 2, "a%1B", "y\n");
  const Ran ran = harness.run({"releases", "diff", "1", "2"});
  CHECK(ran.out == "--- a/a\\x1b\n+++ b/a\\x1b\n@@ -1 +1 @@\n-\tx\x1b[2J\n+y\n");
  Terminal terminal("");
  const MemoryFile err;
  Io io = harness.io;
  io.environment["TERM"] = "xterm";
  io.out = terminal.get();
  io.err = err.get();
  CHECK(leger::run({"releases", "diff", "1", "2"}, io) == 0);
  const std::string screen = terminal.screen("+y");
  CHECK(screen.contains("--- a/a\\x1b\r\n+++ b/a\\x1b\r\n\x1b[36m@@ -1 +1 @@\x1b[0m\r\n"));
  CHECK(screen.contains("x\\x1b[2J\x1b[0m\r\n\x1b[32m+y\x1b[0m\r\n"));
}

}  // namespace
}  // namespace leger
