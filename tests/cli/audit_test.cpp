#include "cli/audit.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/cli/harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::success;

constexpr const char* kVerify = "GET /api/audit/verify";

TEST_CASE("audit is a table of who did what, newest first") {
  Harness harness;
  harness.api->reply(
      "GET /api/audit?limit=50", 200,
      success(R"({"entries":[)"
              R"({"id":9,"time":"T9","actor":"u-1","actor_name":"alice","source":"100.64.0.2","action":"secret.read",)"
              R"("object":"key","version":3,"outcome":"ok","request_id":"r","count":1},)"
              R"({"id":8,"time":"T8","actor":"","source":"10.0.0.1","action":"refused","object":"","version":null,)"
              R"("outcome":"invalid_token","request_id":"","count":17},)"
              R"({"id":7,"time":"T7","actor":"u-2","source":"socket","action":"secret.set","object":"k\u001b",)"
              R"("version":1,"outcome":"ok","request_id":"q"}],"next":null})"));
  const Ran ran = harness.run({"audit"});
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "Time  Who    From        Action       Object  Version  Outcome\n"
        "T9    alice  100.64.0.2  secret.read  key     3        ok\n"
        "T8    -      10.0.0.1    refused      -       -        invalid_token ×17\n"
        "T7    u-2    socket      secret.set   k\\x1b   1        ok\n");
}

TEST_CASE("audit filters, and follows the pages up to its limit") {
  Harness harness;
  const std::string filter = "&object=a%2Eb&action=secret%2Eread";
  harness.api->reply("GET /api/audit?limit=3" + filter, 200, success(R"({"entries":[],"next":90})"));
  harness.api->reply("GET /api/audit?limit=3&before=90" + filter, 200,
                     success(R"({"entries":[{"id":80},{"id":79}],"next":79})"));
  harness.api->reply("GET /api/audit?limit=1&before=79" + filter, 200, success(R"({"entries":[{"id":70}],"next":70})"));
  const Ran ran = harness.run({"audit", "--limit", "3", "--object", "a.b", "--action", "secret.read", "--json"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "{\"entries\":[{\"id\":80},{\"id\":79},{\"id\":70}],\"next\":70}\n");
  CHECK(harness.run({"audit", "--limit", "3", "--object", "a.b", "--action", "secret.read"})
            .out.ends_with("\nThere are older entries: --limit N shows more.\n"));
}

TEST_CASE("audit asks for no more than a page at once") {
  Harness harness;
  harness.api->reply("GET /api/audit?limit=100", 200, success(R"({"entries":[{"id":1}],"next":null})"));
  CHECK(harness.run({"audit", "--limit", "5000", "--json"}).out == "{\"entries\":[{\"id\":1}],\"next\":null}\n");
}

TEST_CASE("an audit whose pages never end is left after a bounded number of requests") {
  Harness harness;
  harness.api->reply("GET /api/audit?limit=50", 200, success(R"({"entries":[],"next":9})"));
  harness.api->reply("GET /api/audit?limit=50&before=9", 200, success(R"({"entries":[],"next":9})"));
  const Ran ran = harness.run({"audit"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.ends_with("There are older entries: --limit N shows more.\n"));
  CHECK(harness.api->seen().size() == 100);
}

TEST_CASE("an empty audit says so") {
  Harness harness;
  harness.api->reply("GET /api/audit?limit=50", 200, success(R"({"entries":[],"next":null})"));
  CHECK(harness.run({"audit"}).out == "No entries in the audit\n");
}

TEST_CASE("audit passes on what legerd refuses, and a garbled answer is told") {
  Harness harness;
  harness.api->reply("GET /api/audit?limit=50", 503, failure(R"({"code":"unavailable","message":"Recovering."})"));
  harness.api->reply("GET /api/audit?limit=50", 200, success("{}"));
  CHECK(harness.run({"audit"}).err.starts_with("Recovering."));
  CHECK(harness.run({"audit"}).err.contains("it sends no entries of the audit"));
}

TEST_CASE("a limit that is no number, or too large, is exit 2 with a message") {
  Harness harness;
  CHECK(harness.run({"audit", "--limit", "x"}).err.starts_with("leger audit: --limit: a number from 1 is needed"));
  CHECK(harness.run({"audit", "--limit", "0"}).exit == 2);
  CHECK(harness.run({"audit", "--limit", "100001"}).exit == 2);
  CHECK(harness.run({"audit", "foo"}).err.starts_with("leger audit knows no command \"foo\"."));
  CHECK(harness.api->seen().empty());
}

TEST_CASE("audit verify tells how long the whole chain is") {
  Harness harness;
  harness.api->reply(kVerify, 200, success(R"({"valid":true,"entries":1234,"first_bad":null})"));
  const Ran ran = harness.run({"audit", "verify"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "✓ The audit is whole: 1234 entries\n");
  CHECK(harness.run({"audit", "verify", "--json"}).out == "{\"valid\":true,\"entries\":1234,\"first_bad\":null}\n");
}

TEST_CASE("audit verify fails and names the first entry that is bad") {
  Harness harness;
  harness.api->reply(kVerify, 200, success(R"({"valid":false,"entries":1234,"first_bad":77})"));
  const Ran ran = harness.run({"audit", "verify"});
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.starts_with(
      "The audit is not whole: entry 77 does not follow from the one before it, or is missing.\n\n"));
  const Ran json = harness.run({"audit", "verify", "--json"});
  CHECK(json.exit == 1);
  CHECK(json.out == "{\"valid\":false,\"entries\":1234,\"first_bad\":77}\n");
}

}  // namespace
}  // namespace leger
