#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

TEST_CASE("releases list is a table, and passes its filters on") {
  Harness harness;
  const std::string data =
      R"({"releases":[{"version":10,"deployment_name":"hello","bundle_size_bytes":2048,"file_count":5,"sha256":"ab","created_at":"2026-11-22T04:05:06Z"}],"total_count":1})";
  harness.api->reply("GET /api/releases?name=hello&limit=1", 200, success(data));
  const Ran ran = harness.run({"releases", "list", "--name", "hello", "--limit", "1"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "Version  Name   Bytes  Files  Created\n"
        "10       hello  2048   5      2026-11-22T04:05:06Z\n"
        "\n"
        "Total: 1 releases\n");
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

// `count` releases from `newest` downwards.
std::string page(int newest, int count, int total) {
  std::string list;
  for (int version = newest; version > newest - count; --version) {
    list += (list.empty() ? "" : ",") + std::string(R"({"version":)") + std::to_string(version) + "}";
  }
  return success(R"({"releases":[)" + list + R"(],"total_count":)" + std::to_string(total) + "}");
}

TEST_CASE("a list that is not whole says so, and --all and --limit read on") {
  Harness harness;
  harness.api->reply("GET /api/releases", 200, page(2500, 100, 2500));
  harness.api->reply("GET /api/releases?limit=1000", 200, page(2500, 1000, 2500));
  harness.api->reply("GET /api/releases?limit=1000&before=1501", 200, page(1500, 1000, 2500));
  harness.api->reply("GET /api/releases?limit=1000&before=501", 200, page(500, 500, 2500));
  harness.api->reply("GET /api/releases?limit=7&before=1501", 200, page(1500, 7, 2500));
  CHECK(harness.run({"releases", "list"})
            .out.ends_with("\nThe newest 100 of 2500 releases. See more with --limit N, or all with --all.\n"));
  const Ran all = harness.run({"releases", "list", "--all"});
  CHECK(all.exit == 0);
  CHECK(all.out.contains("\n2500 "));
  CHECK(all.out.contains("\n1 "));
  CHECK(all.out.ends_with("\nTotal: 2500 releases\n"));
  CHECK(harness.run({"releases", "list", "--limit", "1007"}).out.contains("The newest 1007 of 2500 releases."));
  const Ran json = harness.run({"releases", "list", "--limit", "1007", "--json"});
  CHECK(json.out.contains(R"({"version":1494}],"total_count":2500})"));
}

TEST_CASE("a list that does not go on where it should is not read for ever") {
  Harness harness;
  harness.api->reply("GET /api/releases?limit=1000", 200, page(1500, 1000, 2500));
  harness.api->reply("GET /api/releases?limit=1000&before=501", 200, page(1500, 1000, 2500));
  const Ran ran = harness.run({"releases", "list", "--all"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("its list of releases is not in order"));
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
  harness.api->reply("GET /api/releases/latest?name=hello", 200, success(data));
  CHECK(harness.run({"releases", "show", "hello"}).out == text);
  CHECK(harness.run({"releases", "show", "hello@2"}).out == text);
  CHECK(harness.run({"releases", "show", "other@2"}).exit == 1);
  CHECK(harness.run({"releases", "show", "hello@x"}).exit == 2);
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
