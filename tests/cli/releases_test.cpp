#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kUploaded =
    R"({"version":2,"deployment_name":"hello","bundle_size_bytes":6,"size":6,"sha256":"ab12","r2_path":"u/v2.tar.gz","created_at":"2026-11-22T04:05:06Z"})";

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
  Ran ran = harness.run({"releases", "upload", "/absent.tar.gz"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "\"/absent.tar.gz\" cannot be opened: No such file or directory.\n\nCheck the path and its permissions.\n");
  ran = harness.run({"releases", "upload", harness.folder.path()});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "\"" + harness.folder.path() +
                       "\" is a folder.\n\nMake a bundle of it:\n  tar -czf bundle.tar.gz -C " + harness.folder.path() +
                       " .\n");
  const std::string pipe = harness.folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(harness.run({"releases", "upload", pipe}).err.contains("is not a regular file."));
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

TEST_CASE("releases list is a table, and passes its filters on") {
  Harness harness;
  const std::string data =
      R"({"releases":[{"version":10,"deployment_name":"hello","bundle_size_bytes":2048,"file_count":5,"sha256":"ab","created_at":"2026-11-22T04:05:06Z"}],"total_count":7})";
  harness.api->reply("GET /api/releases?name=hello&limit=1", 200, success(data));
  const Ran ran = harness.run({"releases", "list", "--name", "hello", "--limit", "1"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "Version  Name   Bytes  Files  Created\n"
        "10       hello  2048   5      2026-11-22T04:05:06Z\n"
        "\n"
        "Total: 7 releases\n");
  harness.api->reply("GET /api/releases", 200, success(R"({"releases":[],"total_count":0})"));
  CHECK(harness.run({"releases", "list"}).out ==
        "No releases\n\nUpload one with: leger releases upload <bundle.tar.gz>\n");
  for (const char* limit : {"0", "-1", "x", "1x", "99999999999999999999"}) {
    CAPTURE(limit);
    const Ran wrong = harness.run({"releases", "list", "--limit", limit});
    CHECK(wrong.exit == 2);
    CHECK(wrong.err.contains("--limit: a number from 1 is needed"));
  }
}

TEST_CASE("releases show lists what is in a release") {
  Harness harness;
  const std::string data =
      R"({"version":2,"deployment_name":"hello","r2_path":"u/v2.tar.gz","bundle_size_bytes":6,"sha256":"ab","created_at":"2026-11-22T04:05:06Z","files":["hello.container","index.html"],"services":["hello"],"secrets_required":[]})";
  harness.api->reply("GET /api/releases/latest", 200, success(data));
  harness.api->reply("GET /api/releases/2", 200, success(data));
  const std::string text =
      "hello v2\n"
      "  Created: 2026-11-22T04:05:06Z\n"
      "  Size: 6 bytes\n"
      "  SHA-256: ab\n"
      "  Stored as: u/v2.tar.gz\n"
      "  Files:\n"
      "    hello.container\n"
      "    index.html\n"
      "  Services:\n"
      "    hello\n";
  CHECK(harness.run({"releases", "show"}).out == text);
  CHECK(harness.run({"releases", "show", "2"}).out == text);
  CHECK(harness.run({"releases", "show", "2", "--json"}).out == data + "\n");
}

TEST_CASE("a missing release says how to upload one, unless legerd says what to do") {
  Harness harness;
  harness.api->reply("GET /api/releases/latest", 404,
                     failure(R"({"code":"release_not_found","message":"There is no release."})"));
  const Ran ran = harness.run({"releases", "show"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == "There is no release.\n\nUpload one with: leger releases upload <bundle.tar.gz>\n");
  harness.api->reply("GET /api/releases/9", 404,
                     failure(R"({"code":"release_not_found","message":"No 9.","action":"Do."})"));
  CHECK(harness.run({"releases", "show", "9"}).err == "No 9.\n\nDo.\n");
}

}  // namespace
}  // namespace leger
