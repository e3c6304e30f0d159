#include <doctest/doctest.h>

#include <string>

#include "backend/base/json.h"
#include "backend/base/text.h"
#include "cli/secret_value.h"
#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kSet = "POST /api/secrets/set";
constexpr const char* kCreated =
    R"({"name":"key","version":1,"created_at":"2026-11-22T04:05:06Z","updated_at":"2026-11-22T04:05:06Z","message":"created successfully"})";
constexpr const char* kNotFound = R"({"code":"secret_not_found","message":"There is no such secret."})";

// The `value` or `value_base64` that arrived, with its name.
std::string stored(Harness& harness) {
  const auto seen = harness.api->seen();
  REQUIRE(!seen.empty());
  CHECK(seen.back().headers.at("content-type") == "application/json");
  const auto body = parse_json(seen.back().body);
  REQUIRE(body);
  CHECK(text_field(*body, "name") == "key");
  if (const auto value = text_field(*body, "value")) return "value " + *value;
  return "value_base64 " + text_field(*body, "value_base64").value_or("none");
}

TEST_CASE("secrets set says what was stored") {
  Harness harness;
  harness.api->reply(kSet, 201, success(kCreated));
  const Ran ran = harness.run({"secrets", "set", "key", "-"}, "test123\n");
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "✓ Secret created successfully\n"
        "  Name: key\n"
        "  Version: 1\n"
        "  Updated: 2026-11-22T04:05:06Z\n");
  CHECK(stored(harness) == "value test123");
}

TEST_CASE("secrets set --json prints the data alone") {
  Harness harness;
  harness.api->reply(kSet, 200, success(kCreated));
  const Ran ran = harness.run({"--json", "secrets", "set", "key", "-"}, "x");
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out == std::string(kCreated) + "\n");
}

TEST_CASE("standard input loses one final newline of a one-line text and nothing else") {
  Harness harness;
  harness.api->reply(kSet, 201, success(kCreated));
  struct Line {
    std::string input;
    std::string stored;
  };
  const std::vector<Line> lines{
      {"key\n", "value key"},
      {"key", "value key"},
      {" key \n", "value  key "},
      {"one\ntwo\n", "value one\ntwo\n"},
      {"key\n\n", "value key\n\n"},
      {"\nkey", "value \nkey"},
      {std::string("a\0b\n", 4), "value_base64 " + base64_encode(std::string("a\0b\n", 4))},
      {"\t\"\\\r\n\n", "value \t\"\\\r\n\n"},
      {"\xff\n", "value_base64 " + base64_encode("\xff\n")},
  };
  for (const Line& line : lines) {
    CAPTURE(line.input);
    CHECK(harness.run({"secrets", "set", "key", "-"}, line.input).exit == 0);
    CHECK(stored(harness) == line.stored);
  }
  CHECK(harness.run({"secrets", "set", "key", "-", "--raw"}, "key\n").exit == 0);
  CHECK(stored(harness) == "value key\n");
  CHECK(harness.run({"secrets", "set", "--raw", "key", "-"}, "\n").exit == 0);
  CHECK(stored(harness) == "value \n");
}

TEST_CASE("an empty value is refused before legerd is asked") {
  Harness harness;
  for (const char* input : {"", "\n"}) {
    const Ran ran = harness.run({"secrets", "set", "key", "-"}, input);
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err == "The value is empty.\n\nGive a value of at least one byte.\n");
  }
  CHECK(harness.run({"secrets", "set", "key", ""}).exit == 1);
  CHECK(harness.api->seen().empty());
}

TEST_CASE("a value of 511,999 bytes is taken and one more is not") {
  Harness harness;
  harness.api->reply(kSet, 201, success(kCreated));
  CHECK(harness.run({"secrets", "set", "key", "-"}, std::string(kMaxSecretBytes, 'x')).exit == 0);
  CHECK(stored(harness).size() == kMaxSecretBytes + 6);
  CHECK(harness.run({"secrets", "set", "key", "-"}, std::string(kMaxSecretBytes, 'x') + "\n").exit == 0);
  const Ran ran = harness.run({"secrets", "set", "key", "-", "--json"}, std::string(kMaxSecretBytes + 1, 'x'));
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with(R"({"error":{"code":"secret_value_too_large")"));
  CHECK(harness.run({"secrets", "set", "key", "@/dev/zero"}).exit == 1);
  for (const char byte : {'\n', '"', '\0', '\xff'}) {
    CHECK(harness.run({"secrets", "set", "key", "-", "--raw"}, std::string(kMaxSecretBytes, byte)).exit == 0);
    CHECK(harness.api->seen().back().body.size() <= 1 << 20);  // what legerd reads of a body
  }
  CHECK(harness.api->seen().size() == 6);
}

TEST_CASE("a file is kept whole, also below the home folder") {
  Harness harness;
  harness.api->reply(kSet, 201, success(kCreated));
  const std::string path = harness.write_file("id", "one line\n");
  const Ran ran = harness.run({"secrets", "set", "key", "@" + path});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(stored(harness) == "value one line\n");
  harness.write_file("binary", "\x80\x81");
  CHECK(harness.run({"secrets", "set", "key", "@~/binary"}).exit == 0);
  CHECK(stored(harness) == "value_base64 gIE=");
}

TEST_CASE("a file that cannot be read is named with the reason") {
  Harness harness;
  Ran ran = harness.run({"secrets", "set", "key", "@/absent/file"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "The file \"/absent/file\" cannot be read: No such file or directory.\n\n"
        "Check the path and its permissions.\n");
  ran = harness.run({"secrets", "set", "key", "@" + harness.folder.path()});
  CHECK(ran.err.contains("cannot be read: Is a directory."));
  CHECK(harness.run({"secrets", "set", "key", "@"}).exit == 1);
  CHECK(harness.api->seen().empty());
}

TEST_CASE("a value on the command line is stored as it is and warned about") {
  Harness harness;
  harness.api->reply(kSet, 201, success(kCreated));
  for (const std::string value : {"plain", "[a,b]", "\"quoted\"", "a,b", "%%", "a=b", "--", "status", "list"}) {
    CAPTURE(value);
    std::vector<std::string> arguments{"secrets", "set", "key"};
    if (value == "--") arguments.emplace_back("--");
    arguments.push_back(value);
    const Ran ran = harness.run(arguments);
    CHECK(ran.exit == 0);
    CHECK(ran.err.starts_with("Warning: a value on the command line"));
    CHECK_FALSE(ran.err.contains(value + "\n"));
    CHECK(stored(harness) == "value " + value);
  }
  const Ran ran = harness.run({"secrets", "set", "key", "plain", "--json"});
  CHECK(ran.err.starts_with(R"({"warning":")"));
}

TEST_CASE("a mistyped secrets set shows no piece of the value") {
  Harness harness;
  for (const std::vector<std::string>& tail :
       std::vector<std::vector<std::string>>{{"-hunter2"}, {"one", "hunter2"}, {"one", "--hunter2"}}) {
    std::vector<std::string> arguments{"secrets", "set", "key"};
    arguments.insert(arguments.end(), tail.begin(), tail.end());
    const Ran ran = harness.run(arguments);
    CHECK(ran.exit == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with("secrets set takes a name and one value."));
    CHECK_FALSE(ran.err.contains("hunter2"));
    CHECK_FALSE(ran.err.contains("unter2"));
  }
  CHECK(harness.api->seen().empty());
}

TEST_CASE("secrets list is a table with days and a total") {
  Harness harness;
  harness.api->reply("GET /api/secrets/list?limit=10000", 200, success(R"({"secrets":[
      {"name":"api_key","created_at":"2026-11-20T01:02:03Z","updated_at":"2026-11-22T04:05:06Z","version":3},
      {"name":"b","created_at":"2026-11-21T01:02:03Z","updated_at":"2026-11-21T01:02:03Z","version":12}],"total_count":2})"));
  const Ran ran = harness.run({"secrets", "list"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "Name     Created     Updated     Version\n"
        "api_key  2026-11-20  2026-11-22  3\n"
        "b        2026-11-21  2026-11-21  12\n"
        "\n"
        "Total: 2 secrets\n");
}

// Secrets named by numbers of six digits from `first` on.
std::string page(int first, int count) {
  std::string list;
  for (int number = first; number < first + count; ++number) {
    list += (list.empty() ? "" : ",") + std::string(R"({"name":")") + std::to_string(number) + R"("})";
  }
  return success(R"({"secrets":[)" + list + R"(],"total_count":10003})");
}

TEST_CASE("a long list of secrets is read in pages, and not for ever") {
  Harness harness;
  harness.api->reply("GET /api/secrets/list?limit=10000", 200, page(100'000, 10'000));
  harness.api->reply("GET /api/secrets/list?limit=10000&after=109999", 200, page(110'000, 3));
  const Ran ran = harness.run({"secrets", "list"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.contains("\n100000 "));
  CHECK(ran.out.contains("\n110002 "));
  CHECK(ran.out.ends_with("\nTotal: 10003 secrets\n"));
  CHECK(harness.run({"secrets", "list", "--json"})
            .out.ends_with(R"({"name":"110002"}],"total_count":10003})"
                           "\n"));
  Harness turning;
  turning.api->reply("GET /api/secrets/list?limit=10000", 200, page(100'000, 10'000));
  turning.api->reply("GET /api/secrets/list?limit=10000&after=109999", 200, page(100'000, 10'000));
  CHECK(turning.run({"secrets", "list"}).err.contains("its list of secrets is not in order"));
}

TEST_CASE("secrets list without secrets says how to add one, and --json gives the empty list") {
  Harness harness;
  harness.api->reply("GET /api/secrets/list?limit=10000", 200, success(R"({"secrets":[],"total_count":0})"));
  CHECK(harness.run({"secrets", "list"}).out ==
        "No secrets configured\n\nAdd secrets with: leger secrets set <name> <value>\n");
  CHECK(harness.run({"secrets", "list", "--json"}).out == "{\"secrets\":[],\"total_count\":0}\n");
}

TEST_CASE("secrets get prints the bytes and no newline") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key", 200, success(R"({"name":"key","value":"test123","version":1})"));
  const Ran ran = harness.run({"secrets", "get", "key"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "test123");
  CHECK(ran.err.empty());
}

TEST_CASE("secrets get gives back bytes that are not text, and control bytes as they are") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/key", 200, success(R"({"name":"key","value_base64":"/wAK"})"));
  CHECK(harness.run({"secrets", "get", "key"}).out == std::string("\xff\0\n", 3));
  harness.api->reply("GET /api/secrets/get/a%2Eb%3Ac", 200, success(R"({"name":"a.b:c","value":"\u001b[31m\n"})"));
  CHECK(harness.run({"secrets", "get", "a.b:c"}).out == "\x1b[31m\n");
  CHECK(harness.run({"secrets", "get", "a.b:c", "--json"}).out ==
        "{\"name\":\"a.b:c\",\"value\":\"\\u001b[31m\\n\"}\n");
}

TEST_CASE("a secret named like a route is asked for by its name") {
  Harness harness;
  harness.api->reply("GET /api/secrets/get/list", 400, failure(R"("invalid_secret_name","message":"list is no name")"));
  const Ran ran = harness.run({"secrets", "get", "list"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("list is no name\n\nUse 1 to 64 letters"));
}

TEST_CASE("names that would change the path of a request are refused here") {
  Harness harness;
  for (const char* name : {"", ".", "..", "a/b"}) {
    CAPTURE(name);
    CHECK(harness.run({"secrets", "get", name}).exit == 1);
    CHECK(harness.run({"secrets", "delete", name, "--force"}).exit == 1);
    const Ran ran = harness.run({"secrets", "set", name, "-", "--json"}, "x");
    CHECK(ran.exit == 1);
    CHECK(ran.err.starts_with(R"({"error":{"code":"invalid_secret_name")"));
  }
  CHECK(harness.api->seen().empty());
  CHECK(harness.run({"secrets", "get", "..x?y#z"}).exit == 1);
  CHECK(harness.api->seen().back().target == "/api/secrets/get/%2E%2Ex%3Fy%23z");
}

TEST_CASE("an absent secret is answered with what to do, in both dialects") {
  Harness harness;
  const std::string text =
      "Secret \"x\" not found\n\nList available secrets:\n  leger secrets list\n\n"
      "Create secret:\n  leger secrets set x <value>\n";
  harness.api->reply("GET /api/secrets/get/x", 404, failure(R"("secret_not_found")"));
  harness.api->reply("DELETE /api/secrets/x", 404, failure(kNotFound));
  const Ran got = harness.run({"secrets", "get", "x"});
  CHECK(got.exit == 1);
  CHECK(got.out.empty());
  CHECK(got.err == text);
  CHECK(harness.run({"secrets", "delete", "x", "--force"}).err == text);
  CHECK(harness.run({"secrets", "get", "x", "--json"}).err ==
        R"({"error":{"code":"secret_not_found","message":"Secret \"x\" not found","action":)"
        R"("List available secrets:\n  leger secrets list\n\nCreate secret:\n  leger secrets set x <value>"}})"
        "\n");
}

TEST_CASE("secrets delete --force deletes without asking") {
  Harness harness;
  harness.api->reply("DELETE /api/secrets/key", 200,
                     success(R"({"name":"key","deleted":true,"deleted_at":"2026-11-22T04:05:06Z"})"));
  const Ran ran = harness.run({"secrets", "delete", "key", "--force"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "✓ Secret key deleted\n  Deleted at: 2026-11-22T04:05:06Z\n");
  CHECK(ran.err.empty());
}

TEST_CASE("secrets delete without a terminal asks for --force and deletes nothing") {
  Harness harness;
  const Ran ran = harness.run({"secrets", "delete", "key"}, "y\n");
  CHECK(ran.exit == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "Delete secret \"key\"? There is no terminal to ask on.\n\nAdd --force to go ahead without being asked.\n");
  CHECK(harness.api->seen().empty());
}

}  // namespace
}  // namespace leger
