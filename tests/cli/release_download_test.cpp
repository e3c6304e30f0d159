#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/cli/shell_harness.h"
#include "tests/cli/terminal.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::shell;
using test::success;
using test::Terminal;

constexpr const char* kSha256 = "1e6ed65d77d6364eeaed5a745ba5c4985ae2b700dd85d7cf7f027bdf294a33fc";
constexpr const char* kDownload = "GET /api/releases/3/download";

std::string release(const std::string& name = "hello", const std::string& sha256 = kSha256, std::size_t bytes = 6) {
  return success(R"({"version":3,"deployment_name":")" + name + R"(","bundle_size_bytes":)" + std::to_string(bytes) +
                 R"(,"sha256":")" + sha256 + R"(","files":[]})");
}

std::string bundle(const std::string& bytes) { return test::http_answer(200, bytes, "application/gzip"); }

// A harness with release 3, which is `bundle`.
void script(Harness& harness) {
  for (const char* request :
       {"GET /api/releases/latest", "GET /api/releases/3", "GET /api/releases/latest?name=hello"}) {
    harness.api->reply(request, 200, release());
  }
  harness.api->reply_bytes(kDownload, bundle("bundle"));
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What is in the folder beside legerd's own.
std::vector<std::string> files_in(const Harness& harness) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(harness.folder.path())) {
    if (entry.path().filename() != "leger") names.push_back(entry.path().filename());
  }
  return names;
}

TEST_CASE("releases download writes the bundle and says what it is") {
  Harness harness;
  script(harness);
  const std::string file = harness.folder / "b.tar.gz";
  for (const char* which : {"3", "latest", "hello", "hello@3"}) {
    std::filesystem::remove(file);
    const Ran ran = harness.run({"releases", "download", which, "-o", file});
    CHECK(ran.exit == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out == "✓ hello v3 downloaded\n  File: " + file + "\n  Size: 6 bytes\n  SHA-256: " + kSha256 + "\n");
    CHECK(content_of(file) == "bundle");
  }
  CHECK(files_in(harness) == std::vector<std::string>{"b.tar.gz"});
}

TEST_CASE("releases download without a file is NAME-vN.tar.gz in the current folder, --json says where") {
  Harness harness;
  script(harness);
  Ran ran = shell(harness, "cd \"$XDG_RUNTIME_DIR\" && \"$LEGER\" releases download --json");
  CHECK(ran.exit == 0);
  CHECK(ran.out == R"({"version":3,"deployment_name":"hello","sha256":")" + std::string(kSha256) +
                       R"(","path":"hello-v3.tar.gz","bundle_size_bytes":6})" + "\n");
  CHECK(content_of(harness.folder / "hello-v3.tar.gz") == "bundle");
  ran = shell(harness, "cd \"$XDG_RUNTIME_DIR\" && \"$LEGER\" releases download");
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("There is a file \"hello-v3.tar.gz\" already.\n"));
}

TEST_CASE("a name that would be a path is not made a file of") {
  Harness harness;
  for (const char* name : {"../x", "/etc/x", "", ".", "a/b"}) {
    harness.api->reply("GET /api/releases/3", 200, release(name));
  }
  for (int i = 0; i < 5; ++i) {
    const Ran ran = harness.run({"releases", "download", "3"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.contains("does not answer as legerd does: it names an app"));
  }
  CHECK(files_in(harness).empty());
}

TEST_CASE("a file that is there stays as it is without --force, and is whole with it") {
  Harness harness;
  script(harness);
  const std::string file = harness.write_file("b", "old");
  const Ran ran = harness.run({"releases", "download", "3", "-o", file});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "There is a file \"" + file + "\" already.\n\nGive another name with -o FILE, or replace it with --force.\n");
  CHECK(content_of(file) == "old");
  CHECK(harness.api->seen().size() == 1);  // nothing was downloaded for that
  CHECK(harness.run({"releases", "download", "3", "-o", file, "--force"}).exit == 0);
  CHECK(content_of(file) == "bundle");
}

TEST_CASE("what is no regular file is never replaced") {
  Harness harness;
  script(harness);
  const std::string link = harness.folder / "link";
  std::filesystem::create_symlink(harness.folder / "nowhere", link);
  const std::string pipe = harness.folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path : {link, pipe, harness.folder.path()}) {
    const Ran ran = harness.run({"releases", "download", "3", "-o", path, "--force"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.contains(path == harness.folder.path() ? "is a folder." : "is not a regular file."));
  }
  CHECK(harness.run({"releases", "download", "3", "-o", harness.folder / "absent/b"}).exit == 1);
  CHECK(files_in(harness).size() == 2);
}

TEST_CASE("other bytes, too few and too many are an error, and no file is left") {
  struct Line {
    std::string answer;
    std::string message;
  };
  for (const Line& line : std::vector<Line>{
           {bundle("bundl3"), "What came for hello v3 is not what was uploaded: 6 bytes with SHA-256"},
           {bundle("bundl"), "What came for hello v3 is not what was uploaded: 5 bytes"},
           {bundle("bundle, and more"), "its answer is longer than 6 bytes"},
           {bundle(std::string(100'000, 'x')), "the answer is longer than 65536 bytes"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbun", "The download of hello v3 broke off"},
           {"", "The download of hello v3 broke off"},
           {test::http_answer(200, ""), "What came for hello v3 is not what was uploaded: 0 bytes"},
           {test::http_answer(204, ""), "its answer with status 204 is not JSON"},
           {test::http_answer(206, success("1")), "its answer with status 206 holds no file"},
           {test::http_answer(404, failure(R"({"code":"release_not_found","message":"Gone."})")), "Gone."}}) {
    CAPTURE(line.message);
    Harness harness;
    harness.api->reply("GET /api/releases/3", 200, release());
    harness.api->reply_bytes(kDownload, line.answer);
    const Ran ran = harness.run({"releases", "download", "3", "-o", harness.folder / "b"});
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err.contains(line.message));
    CHECK(files_in(harness).empty());
  }
}

TEST_CASE("a bundle that legerd does not describe, or that would be too large, is not asked for") {
  Harness harness;
  for (const std::string& answer : {success(R"({"version":3,"deployment_name":"hello"})"), release("hello", kSha256, 0),
                                    release("hello", kSha256, (16 << 20) + 1), release("hello", "")}) {
    harness.api->reply("GET /api/releases/3", 200, answer);
  }
  for (int i = 0; i < 4; ++i) {
    CHECK(harness.run({"releases", "download", "3"}).err.contains("does not answer as legerd does"));
  }
  CHECK(harness.api->seen().size() == 4);
}

TEST_CASE("a bundle of 16 MiB comes whole, which is longer than other answers may be") {
  Harness harness;
  const std::string bytes(16 << 20, 'x');
  harness.api->reply("GET /api/releases/3", 200,
                     release("hello", "a06c26cbac8b80704f420222dae5658b88ff2da96702d12ef7a4223e9361f7c1", 16 << 20));
  harness.api->reply_bytes(kDownload, bundle(bytes));
  const Ran ran = harness.run({"releases", "download", "3", "-o", harness.folder / "b"});
  CHECK(ran.err == "");
  CHECK(std::filesystem::file_size(harness.folder / "b") == bytes.size());
}

TEST_CASE("a file that cannot be written whole is not there") {
  Harness harness;
  const std::string bytes(4096, 'x');
  harness.api->reply("GET /api/releases/3", 200,
                     release("hello", "a2e659dacb4691e887ac0139f8893d04764ee197d70fb73d3190d56113d18e3e", 4096));
  harness.api->reply_bytes(kDownload, bundle(bytes));
  const Ran ran =
      shell(harness, "trap '' XFSZ; ulimit -f 1; \"$LEGER\" releases download 3 -o \"$XDG_RUNTIME_DIR/b\" | cat");
  CHECK(ran.err.starts_with("Writing \"" + (harness.folder / "b") + "\": "));
  CHECK(files_in(harness).empty());
}

TEST_CASE("-o - is the bundle alone, for other programs") {
  Harness harness;
  script(harness);
  const Ran ran = harness.run({"releases", "download", "-o", "-"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "bundle");
  CHECK(ran.err.empty());
  CHECK(harness.run({"releases", "download", "-o", "-", "--json"}).exit == 2);
  CHECK(shell(harness, "\"$LEGER\" releases download -o - > /dev/full").exit == 1);
  Harness other;
  script(other);
  Terminal terminal("");
  const MemoryFile err;
  Io io = other.io;
  io.out = terminal.get();
  io.err = err.get();
  CHECK(leger::run({"releases", "download", "-o", "-"}, io) == 2);
  CHECK(err.content().starts_with("A bundle is nothing for a terminal.\n"));
  CHECK(other.api->seen().empty());
}

TEST_CASE("a download shows how far it is on a terminal, and leaves nothing of that") {
  Harness harness;
  script(harness);
  Terminal terminal("");
  const MemoryFile out;
  Io io = harness.io;
  io.out = out.get();
  io.err = terminal.get();
  CHECK(leger::run({"releases", "download", "3", "-o", harness.folder / "b"}, io) == 0);
  const std::string screen = terminal.screen("100 %");
  CHECK(screen.contains("Downloading hello v3 ["));
  CHECK(screen.ends_with("\r\x1b[K"));
  CHECK(leger::run({"--json", "releases", "download", "3", "--force", "-o", harness.folder / "b"}, io) == 0);
  CHECK(terminal.screen() == screen);
}

}  // namespace
}  // namespace leger
