#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "cli/progress_bar.h"
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

constexpr const char* kUploaded =
    R"({"version":2,"deployment_name":"hello","bundle_size_bytes":6,"size":6,"sha256":"ab12","r2_path":"u/v2.tar.gz","created_at":"2026-11-22T04:05:06Z"})";
constexpr const char* kUnit = "[Container]\nImage=localhost/hello:latest\n";

// A harness with an app's folder `hello`.
struct WithApp : Harness {
  WithApp() {
    std::filesystem::create_directory(app);
    write_file("hello/hello.container", kUnit);
    api->reply("POST /api/releases", 201, success(kUploaded));
  }
  std::string app = folder / "hello";
};

TEST_CASE("releases upload sends the file and says its version") {
  Harness harness;
  harness.api->reply("POST /api/releases", 201, success(kUploaded));
  const std::string path = harness.write_file("b.tar.gz", std::string("\x1f\x8b\0\r\n\xff", 6));
  const Ran ran = harness.run({"releases", "upload", path});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "✓ hello v2 uploaded\n"
        "  Size: 6 bytes\n"
        "  SHA-256: ab12\n"
        "\n"
        "Deploy it with: leger deploy install 2\n");
  const auto seen = harness.api->seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].headers.at("content-type") == "application/gzip");
  CHECK(seen[0].body == std::string("\x1f\x8b\0\r\n\xff", 6));
  CHECK(harness.run({"releases", "upload", path, "--json"}).out == std::string(kUploaded) + "\n");
}

TEST_CASE("releases upload of bytes that are there already says so") {
  Harness harness;
  harness.api->reply("POST /api/releases", 200, success(kUploaded));
  const Ran ran = harness.run({"releases", "upload", harness.write_file("b", "x")});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("✓ hello v2 is already there: its bytes are the same\n"));
}

TEST_CASE("releases upload refuses what is no file, before legerd is asked") {
  Harness harness;
  const Ran ran = harness.run({"releases", "upload", "/absent.tar.gz"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "\"/absent.tar.gz\" cannot be opened: No such file or directory.\n\nCheck the path and its permissions.\n");
  const std::string pipe = harness.folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(harness.run({"releases", "upload", pipe}).err.contains("is neither a regular file nor a folder."));
  CHECK(harness.run({"releases", "upload", harness.write_file("empty", "")}).err.contains("is empty."));
  CHECK(harness.api->seen().empty());
}

TEST_CASE("releases upload takes 16 MiB and no byte more") {
  Harness harness;
  harness.api->reply("POST /api/releases", 201, success(kUploaded));
  const std::string path = harness.write_file("large", "x");
  REQUIRE(truncate(path.c_str(), 16 << 20) == 0);
  CHECK(harness.run({"releases", "upload", path}).exit == 0);
  REQUIRE(truncate(path.c_str(), (16 << 20) + 1) == 0);
  const Ran ran = harness.run({"releases", "upload", path, "--json"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with(R"({"error":{"code":"bundle_too_large")"));
  CHECK(harness.api->seen().size() == 1);
}

TEST_CASE("a refused bundle is explained in legerd's words") {
  Harness harness;
  harness.api->reply(
      "POST /api/releases", 400,
      failure(R"({"code":"invalid_bundle","message":"The entry ../x leaves the bundle.","action":"Pack it anew."})"));
  const Ran ran = harness.run({"releases", "upload", harness.write_file("b", "x")});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err == "The entry ../x leaves the bundle.\n\nPack it anew.\n");
}

TEST_CASE("releases upload packs a folder, the same bytes as releases pack, each time") {
  WithApp harness;
  const Ran ran = harness.run({"releases", "upload", harness.app});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out.starts_with("✓ hello v2 uploaded\n"));
  REQUIRE(harness.run({"releases", "upload", harness.app + "/"}).exit == 0);
  const auto seen = harness.api->seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].headers.at("content-type") == "application/gzip");
  CHECK(seen[0].body.starts_with("\x1f\x8b"));
  CHECK(seen[0].body == seen[1].body);
  CHECK(seen[0].body == harness.run({"releases", "pack", harness.app, "-o", "-"}).out);
  CHECK(harness.run({"releases", "upload", harness.app, "--name", "other"}).exit == 0);
  CHECK(harness.api->seen().back().body != seen[0].body);
}

TEST_CASE("releases upload tells what is hidden in a folder and so left out") {
  WithApp harness;
  harness.write_file("hello/.env", "KEY=1");
  const Ran ran = harness.run({"releases", "upload", harness.app});
  CHECK(ran.exit == 0);
  CHECK(ran.err == "Note: hidden, and so left out of the bundle: .env\n");
  const Ran json = harness.run({"releases", "upload", harness.app, "--json"});
  CHECK(json.out == std::string(kUploaded) + "\n");
  CHECK(json.err == "{\"note\":\"hidden, and so left out of the bundle: .env\"}\n");
  for (char c = 'a'; c < 'm'; ++c) harness.write_file(std::string("hello/.") + c, "");
  CHECK(harness.run({"releases", "upload", harness.app})
            .err.ends_with(".a, .b, .c, .d, .e, .env, .f, .g, .h, .i and 3 more\n"));
}

TEST_CASE("releases upload of a folder that cannot be packed says why, before legerd is asked") {
  WithApp harness;
  std::filesystem::create_symlink("/etc/passwd", harness.app + "/link");
  const Ran ran = harness.run({"releases", "upload", harness.app});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err == "\"link\" is a symbolic link.\n\nSee all that is wrong with it:\n  leger releases validate " +
                       harness.app + "\n");
  CHECK(harness.api->seen().empty());
}

TEST_CASE("releases upload - takes the bundle from standard input, up to 16 MiB") {
  WithApp harness;
  CHECK(harness.run({"releases", "upload", "-"}, "bytes").exit == 0);
  REQUIRE(harness.api->seen().size() == 1);
  CHECK(harness.api->seen()[0].body == "bytes");
  CHECK(harness.run({"releases", "upload", "-"}, "").err.starts_with("Standard input is empty.\n"));
  const std::string large((16 << 20) + 1, 'x');
  CHECK(harness.run({"releases", "upload", "-"}, large).err.starts_with("Standard input is larger than 16 MiB.\n"));
  CHECK(harness.api->seen().size() == 1);
  const Terminal terminal("");
  const MemoryFile err;
  Io io = harness.io;
  io.in = terminal.get();
  io.err = err.get();
  CHECK(run({"releases", "upload", "-"}, io) == 1);
  CHECK(err.content().starts_with("Standard input is a terminal.\n"));
}

TEST_CASE("--name is for folders") {
  WithApp harness;
  const std::string file = harness.write_file("b", "x");
  for (const std::string& source : {file, std::string("-")}) {
    const Ran ran = harness.run({"releases", "upload", source, "--name", "hello"}, "x");
    CHECK(ran.exit == 2);
    CHECK(ran.err.starts_with("--name is for a folder that is packed;"));
  }
  CHECK(harness.api->seen().empty());
}

TEST_CASE("an upload shows how far it is on a terminal, and nothing of it stays") {
  WithApp harness;
  Terminal terminal("");
  const MemoryFile out;
  Io io = harness.io;
  io.out = out.get();
  io.err = terminal.get();
  const std::string file = harness.write_file("b", std::string(300'000, 'x'));
  CHECK(run({"releases", "upload", file}, io) == 0);
  const std::string screen = terminal.screen("\r\x1b[K");
  CHECK(screen.starts_with("\rUploading ["));
  CHECK(screen.contains("[##############################] 100 %, 292.9 of 292.9 KiB\x1b[K"));
  CHECK(screen.ends_with("\r\x1b[K"));
  CHECK(out.content().starts_with("✓ hello v2 uploaded\n"));
}

TEST_CASE("no upload shows how far it is to a program, or on a terminal that cannot") {
  WithApp harness;
  const std::string file = harness.write_file("b", std::string(300'000, 'x'));
  const auto shown_on_terminal = [&](const std::vector<std::string>& arguments, const std::string& term) {
    Terminal terminal("");
    const MemoryFile out;
    Io io = harness.io;
    io.environment["TERM"] = term;
    io.out = out.get();
    io.err = terminal.get();
    CHECK(run(arguments, io) == 0);
    return terminal.screen();
  };
  CHECK(shown_on_terminal({"releases", "upload", file}, "xterm").contains("Uploading"));
  CHECK(shown_on_terminal({"releases", "upload", file, "--json"}, "xterm") == "");
  CHECK(shown_on_terminal({"releases", "upload", file}, "dumb") == "");
}

TEST_CASE("the bar tells bytes in the unit that fits, and never more than all of them") {
  const std::string empty(30, ' ');
  CHECK(progress_line("Uploading", 0, 16 << 20) == "Uploading [" + empty + "]   0 %, 0.0 of 16.0 MiB");
  CHECK(progress_line("U", 8 << 20, 16 << 20) ==
        "U [" + std::string(15, '#') + std::string(15, ' ') + "]  50 %, 8.0 of 16.0 MiB");
  CHECK(progress_line("U", 9, 3) == "U [" + std::string(30, '#') + "] 100 %, 0.0 of 0.0 KiB");
  CHECK(progress_line("U", 0, 0) == "U [" + std::string(30, '#') + "] 100 %, 0.0 of 0.0 KiB");
}

}  // namespace
}  // namespace leger
