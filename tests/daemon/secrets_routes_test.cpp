// The secrets' routes on the running daemon, in both dialects, as whole answers.

#include <doctest/doctest.h>

#include <format>

#include "tests/daemon/running_daemon.h"

namespace leger::test {
namespace {

// One connection of the owner, and the answers that it wants to see.
class Owner {
 public:
  Answer ask(std::string_view method, std::string_view path, std::string_view body = {}, std::string_view lines = {}) {
    client_.send(request(method, path, body, lines));
    return client_.read_answer();
  }
  std::string ok(std::string_view data, std::string_view status = "200 OK", std::string_view lines = {}) const {
    return daemon.answer(status, R"({"success":true,"data":)" + std::string(data) + "}", lines);
  }
  std::string failed(std::string_view status, std::string_view code, std::string_view message,
                     std::string_view action = {}) const {
    std::string body = std::format(R"({{"success":false,"error":{{"code":"{}","message":"{}")", code, message);
    if (!action.empty()) body += std::format(R"(,"action":"{}")", action);
    return daemon.answer(status, body + "}}");
  }
  std::string cli_failed(std::string_view status, std::string_view code, std::string_view message) const {
    return daemon.answer(status, std::format(R"({{"success":false,"error":"{}","message":"{}"}})", code, message));
  }
  // What a set and a get have in common.
  std::string put_data(std::string_view name, int version, std::string_view created, std::string_view message) const {
    return std::format(R"({{"name":"{}","version":{},"created_at":"{}","updated_at":"{}","message":"{}"}})", name,
                       version, created, daemon.now(), message);
  }

  RunningDaemon daemon;

 private:
  Client client_ = daemon.unix_socket();
};

constexpr std::string_view kNoStore = "Cache-Control: no-store\r\n";
constexpr std::string_view kNames =
    "Use 1 to 64 of A-Z a-z 0-9 _ . : - with a letter, digit or _ first, and not list, set, get or sync.";

}  // namespace

TEST_CASE("a secret is set, read, listed and deleted in the backend's dialect") {
  Owner owner;
  const std::string made = owner.daemon.now();
  CHECK(owner.ask("POST", "/api/secrets/key", R"({"value":"one"})").whole() ==
        owner.ok(owner.put_data("key", 1, made, "created successfully"), "201 Created"));
  owner.daemon.advance(5'000);
  CHECK(owner.ask("PUT", "/api/secrets/key", R"({"value":"two"})").whole() ==
        owner.ok(owner.put_data("key", 2, made, "updated successfully")));
  const std::string updated = owner.daemon.now();
  CHECK(made != updated);
  CHECK(owner.ask("GET", "/api/secrets/key").whole() ==
        owner.ok(std::format(R"({{"name":"key","value":"two","version":2,"created_at":"{}","updated_at":"{}"}})", made,
                             updated),
                 "200 OK", kNoStore));
  CHECK(owner.ask("GET", "/api/secrets").whole() ==
        owner.ok(std::format(
            R"({{"secrets":[{{"name":"key","created_at":"{}","updated_at":"{}","version":2}}],"total_count":1}})", made,
            updated)));
  CHECK(owner.ask("DELETE", "/api/secrets/key").whole() ==
        owner.ok(std::format(R"({{"name":"key","deleted":true,"deleted_at":"{}"}})", updated)));
  const std::string absent = owner.ask("GET", "/api/secrets/key").whole();
  CHECK(absent.starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(absent.contains(R"({"success":false,"error":{"code":"secret_not_found","message":")"));
  CHECK(owner.ask("DELETE", "/api/secrets/key").status == 404);
  CHECK(owner.ask("GET", "/api/secrets").whole() == owner.ok(R"({"secrets":[],"total_count":0})"));
  CHECK(owner.ask("PUT", "/api/secrets/key", R"({"value":"three"})").body.contains(R"("version":3)"));
}

TEST_CASE("a secret is set, read, listed and deleted in the CLI's dialect") {
  Owner owner;
  const std::string now = owner.daemon.now();
  for (const std::string_view prefix : {"/secrets", "/api/secrets"}) {
    CAPTURE(prefix);
    const std::string root(prefix);
    const std::string name = prefix == "/secrets" ? "a" : "b";
    CHECK(owner.ask("POST", root + "/set", std::format(R"({{"name":"{}","value":"v"}})", name)).whole() ==
          owner.ok(owner.put_data(name, 1, now, "created successfully"), "201 Created"));
    CHECK(owner.ask("GET", root + "/get/" + name).whole() ==
          owner.ok(std::format(R"({{"name":"{}","value":"v","version":1,"created_at":"{}","updated_at":"{}"}})", name,
                               now, now),
                   "200 OK", kNoStore));
    CHECK(owner.ask("GET", root + "/list").whole() ==
          owner.ok(std::format(
              R"({{"secrets":[{{"name":"{}","created_at":"{}","updated_at":"{}","version":1}}],"total_count":1}})",
              name, now, now)));
    CHECK(owner.ask("DELETE", root + "/" + name).whole() ==
          owner.ok(std::format(R"({{"name":"{}","deleted":true,"deleted_at":"{}"}})", name, now)));
    CHECK(owner.ask("GET", root + "/get/" + name).whole() ==
          owner.daemon.answer("404 Not Found", R"({"success":false,"error":"secret_not_found"})"));
  }
}

TEST_CASE("any bytes are kept, as base64 where they are no text") {
  Owner owner;
  const auto value_of = [&owner](std::string_view body) {
    CHECK(owner.ask("PUT", "/api/secrets/key", body).status < 300);
    const std::string got = owner.ask("GET", "/api/secrets/key").body;
    const std::size_t from = got.find(R"("value)");
    return got.substr(from, got.find(R"(,"version")") - from);
  };
  CHECK(value_of(R"({"value_base64":"aGVsbG8="})") == R"("value":"hello")");
  CHECK(value_of(R"({"value_base64":"AP+A"})") == R"("value_base64":"AP+A")");
  CHECK(value_of(R"({"value":"line\nend \u0000 \u00e9 \ud83d\ude00"})") ==
        "\"value\":\"line\\nend \\u0000 \xc3\xa9 \xf0\x9f\x98\x80\"");
  CHECK(value_of(R"({"value":" "})") == R"("value":" ")");
}

TEST_CASE("if_version guards a secret that somebody else has changed") {
  Owner owner;
  const auto set = [&owner](std::string_view version) {
    return owner.ask("PUT", "/api/secrets/key", std::format(R"({{"value":"v","if_version":{}}})", version));
  };
  CHECK(set("1").status == 409);
  CHECK(set("0").status == 201);
  CHECK(set("0").status == 409);
  CHECK(set("1").status == 200);
  const Answer old = set("1");
  CHECK(old.status == 409);
  CHECK(old.body.contains(R"("code":"conflict")"));
  for (const std::string_view wrong : {"-1", "\"1\"", "1.5", "null", "true"}) CHECK(set(wrong).status == 400);
}

TEST_CASE("older versions can be read") {
  Owner owner;
  for (const std::string_view value : {"one", "two"}) {
    owner.ask("PUT", "/api/secrets/key", std::format(R"({{"value":"{}"}})", value));
  }
  CHECK(owner.ask("GET", "/api/secrets/key?version=1").body.contains(R"("value":"one","version":1)"));
  CHECK(owner.ask("GET", "/secrets/get/key?version=2").body.contains(R"("value":"two","version":2)"));
  CHECK(owner.ask("GET", "/api/secrets/key?version=3").status == 404);
  for (const std::string_view version : {"0", "-1", "x", "", "9223372036854775808"}) {
    CHECK(owner.ask("GET", "/api/secrets/key?version=" + std::string(version)).status == 400);
  }
}

TEST_CASE("a list is bounded and goes on after a name") {
  Owner owner;
  for (const std::string_view name : {"b", "a", "c"}) {
    owner.ask("PUT", "/api/secrets/" + std::string(name), R"({"value":"v"})");
  }
  const auto names = [&owner](std::string_view query) {
    const std::string body = owner.ask("GET", "/api/secrets?" + std::string(query)).body;
    std::string found;
    for (std::size_t at = body.find(R"("name":")"); at != std::string::npos; at = body.find(R"("name":")", at + 1)) {
      found += body[at + 8];
    }
    CHECK(body.ends_with(R"("total_count":3}})"));
    return found;
  };
  CHECK(names("") == "abc");
  CHECK(names("limit=2") == "ab");
  CHECK(names("limit=2&after=a") == "bc");
  CHECK(names("after=c") == "");
  CHECK(names("limit=3") == "abc");
  CHECK(owner.ask("GET", "/api/secrets?limit=0").status == 400);
}

TEST_CASE("a body that is not what the route wants is refused, with the field") {
  Owner owner;
  struct Case {
    std::string_view body;
    std::string_view message;
  };
  for (const Case& entry :
       {Case{"{", "The body is not valid JSON in UTF-8."}, Case{"[]", "The body must be a JSON object."},
        Case{"{}", "Give the value as \\\"value\\\" or as \\\"value_base64\\\"."},
        Case{R"({"value":"a","value_base64":"YQ=="})", "Give the value as \\\"value\\\" or as \\\"value_base64\\\"."},
        Case{R"({"value":1})", "The value must be a JSON string."},
        Case{R"({"value":null})", "The value must be a JSON string."},
        Case{R"({"value_base64":["YQ=="]})", "The value must be a JSON string."},
        Case{R"({"value_base64":"YQ"})", "value_base64 is not base64."},
        Case{R"({"value_base64":"YQ= ="})", "value_base64 is not base64."},
        Case{R"({"value":""})", "The value of a secret cannot be empty."},
        Case{R"({"value":"v","name":"key"})", "The field \\\"name\\\" is not known here."},
        Case{R"({"value":"v","Value":"v"})", "The field \\\"Value\\\" is not known here."}}) {
    CAPTURE(entry.body);
    CHECK(owner.ask("PUT", "/api/secrets/key", entry.body).whole() ==
          owner.failed("400 Bad Request", "invalid_request", entry.message));
  }
  CHECK(owner.ask("POST", "/secrets/set", R"({"value":"v"})").whole() ==
        owner.cli_failed("400 Bad Request", "invalid_request", "The field \\\"name\\\" is missing."));
  CHECK(owner.ask("POST", "/secrets/set", R"({"name":1,"value":"v"})").status == 400);
  CHECK(owner.ask("PUT", "/api/secrets/key").status == 400);
  CHECK(owner.ask("GET", "/api/secrets").body.contains(R"("total_count":0)"));
}

TEST_CASE("a body is JSON and says so") {
  RunningDaemon daemon;
  for (const std::string_view type : {"text/plain", "application/x-www-form-urlencoded", "application/gzip",
                                      "application/jsonx", "multipart/form-data; boundary=application/json"}) {
    CAPTURE(type);
    const Answer answer = ask(daemon.unix_socket(), request("PUT", "/api/secrets/key", R"({"value":"v"})",
                                                            std::format("Content-Type: {}\r\n", type)));
    CHECK(answer.whole() ==
          daemon.answer("415 Unsupported Media Type",
                        R"({"success":false,"error":{"code":"unsupported_media_type",)"
                        R"("message":"The body of this request has Content-Type application/json."}})",
                        "Connection: close\r\n"));
  }
  const Answer none = ask(daemon.unix_socket(),
                          "PUT /api/secrets/key HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n{\"value\":\"v\"}");
  CHECK(none.status == 415);
  for (const std::string_view type :
       {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x=y"}) {
    CAPTURE(type);
    CHECK(ask(daemon.unix_socket(),
              request("PUT", "/api/secrets/key", R"({"value":"v"})", std::format("Content-Type: {}\r\n", type)))
              .status < 300);
  }
}

TEST_CASE("a name that is none is refused in both dialects") {
  Owner owner;
  const std::string longest(64, 'n');
  for (const std::string& name : std::vector<std::string>{longest + "n", "-a", ".a", ":a", "a%20b", "a%2Bb", "%C3%A9",
                                                          "a*", "%252f", "a%5Cb", "a%0Ab", "a%27", "sync", "a~"}) {
    CAPTURE(name);
    CHECK(owner.ask("GET", "/api/secrets/" + name).whole() ==
          owner.failed("400 Bad Request", "invalid_secret_name", "This is not a name for a secret.", kNames));
    CHECK(owner.ask("GET", "/secrets/get/" + name).whole() ==
          owner.cli_failed("400 Bad Request", "invalid_secret_name", "This is not a name for a secret."));
    CHECK(owner.ask("PUT", "/api/secrets/" + name, R"({"value":"v"})").status == 400);
    CHECK(owner.ask("DELETE", "/api/secrets/" + name).status == 400);
  }
  for (const std::string_view name : {"list", "set", "get", "sync", "", "a/b", "..", "a\\u0000", "a\\u000a"}) {
    CAPTURE(name);
    const Answer answer = owner.ask("POST", "/secrets/set", std::format(R"({{"name":"{}","value":"v"}})", name));
    CHECK(answer.body ==
          R"({"success":false,"error":"invalid_secret_name","message":"This is not a name for a secret."})");
  }
  for (const std::string& name : std::vector<std::string>{longest, "_", "0", "a.b:c-d_e", "lists", "Set"}) {
    CAPTURE(name);
    CHECK(owner.ask("PUT", "/api/secrets/" + name, R"({"value":"v"})").status == 201);
    CHECK(owner.ask("GET", "/api/secrets/" + name).status == 200);
  }
}

TEST_CASE("a path whose escapes hide something is refused before its name is looked at") {
  Owner owner;
  for (const std::string_view name :
       {"a%2fb", "%2F", "..", "%2e%2e", ".", "%00", "a%00b", "%ff", "%c0%af", "%", "%zz"}) {
    CAPTURE(name);
    CHECK(owner.ask("GET", "/api/secrets/" + std::string(name)).body ==
          R"({"success":false,"error":{"code":"bad_request","message":"The path of the request cannot be read."}})");
  }
}

}  // namespace leger::test
