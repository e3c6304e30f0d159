// Which server a run of leger talks to, and which token goes there.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cli/sign_in_harness.h"

namespace leger {
namespace {

using test::cli_failure;
using test::failure;
using test::in_days;
using test::kNotAuthenticated;
using test::kToken;
using test::Ran;
using test::SignInHarness;
using test::stored;
using test::success;

constexpr const char* kServices = R"({"services":[]})";

TEST_CASE("the stored token goes along, to its own server and to no other") {
  SignInHarness harness;
  test::FakeApi other;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply("GET /api/services", 200, success(kServices));
  other.reply("GET /api/services", 200, success(kServices));
  CHECK(harness.run_there({"status"}).exit == 0);
  CHECK(harness.server.seen().at(0).headers.at("authorization") == "Bearer " + std::string(kToken));

  const Ran ran = harness.run_checked({"--server", other.url(), "status"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == kNotAuthenticated);
  harness.io.environment["LEGER_API_URL"] = other.url() + "/api";
  CHECK(harness.run_checked({"status"}).err == kNotAuthenticated);
  CHECK(harness.run_checked({"--server", harness.server.url() + "/prefix", "status"}).err == kNotAuthenticated);
  CHECK(harness.run_checked({"--server", "https://127.0.0.1:1", "status"}).err == kNotAuthenticated);
  CHECK(other.seen().empty());

  harness.open_socket();
  harness.io.environment.erase("LEGER_API_URL");
  harness.api->reply("GET /api/services", 200, success(kServices));
  CHECK(harness.run_checked({"status"}).exit == 0);
  CHECK(harness.api->seen().at(0).headers.count("authorization") == 0);
}

TEST_CASE("one server written in several ways is one server") {
  SignInHarness harness;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply("GET /api/services", 200, success(kServices));
  const std::string port = harness.server.url().substr(harness.server.url().rfind(':'));
  for (const std::string& url :
       {"HTTP://127.0.0.1" + port, "http://127.0.0.1" + port + "/api/", "http://127.0.0.1" + port + "/"}) {
    CAPTURE(url);
    CHECK(harness.run_checked({"--server", url, "status"}).exit == 0);
  }
}

TEST_CASE("a redirect takes no token along") {
  SignInHarness harness;
  test::FakeApi other;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply_bytes("GET /api/services", "HTTP/1.1 302 Found\r\nLocation: " + other.url() +
                                                      "/api/services\r\nContent-Length: 0\r\n\r\n");
  CHECK(harness.run_there({"status"}).exit == 1);
  CHECK(other.seen().empty());
}

TEST_CASE("without a stored token nothing is sent, with an expired one neither") {
  SignInHarness harness;
  const std::vector<std::vector<std::string>> commands{
      {"status"}, {"secrets", "list"}, {"releases", "list"}, {"deploy", "list"}, {"open"}};
  for (const auto& command : commands) {
    const Ran ran = harness.run_there(command);
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err == kNotAuthenticated);
  }
  harness.write_sign_ins({harness.server.url()}, stored(in_days(-1)));
  for (const auto& command : commands) {
    const Ran ran = harness.run_there(command);
    CHECK(ran.exit == 1);
    CHECK(ran.err == "Token expired\n\nRe-authenticate with: leger auth login\n");
  }
  CHECK(harness.server.seen().empty());
  CHECK(
      harness.run_there({"status", "--json"}).err ==
      R"({"error":{"code":"invalid_token","message":"Token expired","action":"Re-authenticate with: leger auth login"}})"
      "\n");
}

TEST_CASE("an install without a sign-in says that the source wants one") {
  SignInHarness harness;
  Ran ran = harness.run_there({"deploy", "install"});
  CHECK(ran.exit == 1);
  CHECK(ran.err == harness.server.url() + " source requires authentication\n\nAuthenticate with: leger auth login\n");
  harness.write_sign_ins({harness.server.url()}, stored(in_days(-1)));
  ran = harness.run_there({"deploy", "install"});
  CHECK(ran.err == "Token expired\n\nRe-authenticate with: leger auth login\n");
  CHECK(harness.server.seen().empty());
  harness.open_socket();
  harness.api->reply("GET /api/releases/latest", 404, failure(R"({"code":"release_not_found","message":"None."})"));
  CHECK(harness.run_checked({"deploy", "install"}).err.starts_with("None."));  // over the socket no sign-in is needed
}

TEST_CASE("a token that the server takes no more is its own message and how to get another") {
  SignInHarness harness;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply("GET /api/services", 401, failure(R"({"code":"invalid_token","message":"The token expired."})"));
  harness.server.reply("GET /api/secrets/list?limit=10000", 401,
                       cli_failure("invalid_token", "The session was ended."));
  const std::string advice =
      "\n\nRe-authenticate:\n  leger auth login\n\nYour token is valid for 30 days from authentication.\n";
  CHECK(harness.run_there({"status"}).err == "The token expired." + advice);
  CHECK(harness.run_there({"secrets", "list"}).err == "The session was ended." + advice);
  CHECK(harness.auth()["token"] == kToken);
}

TEST_CASE("without flag, variable and socket it is the server last signed in to") {
  SignInHarness harness;
  test::FakeApi other;
  harness.write_sign_ins({harness.server.url(), other.url()});
  harness.server.reply("GET /api/services", 200, success(kServices));
  CHECK(harness.run_checked({"status"}).exit == 0);
  CHECK(harness.server.seen().size() == 1);
  harness.open_socket();
  harness.api->reply("GET /api/services", 200, success(kServices));
  CHECK(harness.run_checked({"status"}).exit == 0);
  CHECK(harness.server.seen().size() == 1);
  CHECK(other.seen().empty());
}

TEST_CASE("a last server that is a stranger without TLS gets no token") {
  SignInHarness harness;
  harness.write_sign_ins({"http://8.8.8.8"});
  const Ran ran = harness.run_checked({"status"});
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("Plain http:// to \"8.8.8.8\" (8.8.8.8) is refused"));
  CHECK(harness.run_checked({"auth", "login"}).err.starts_with("Plain http:// to"));
  CHECK(harness.run_checked({"login"}).err.starts_with("Plain http:// to"));
  CHECK(harness.run_checked({"auth", "status"}).exit == 0);
}

TEST_CASE("a corrupt file hides the last server, and the advice asks for one") {
  SignInHarness harness;
  harness.write_auth("CANARY");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"status"}, {"auth", "login"}}) {
    const Ran ran = harness.run_checked(command);
    CHECK(ran.exit == 1);
    CHECK(ran.err.ends_with("Sign in again, which replaces it:\n  leger --server https://HOST auth login\n"));
  }
}

}  // namespace
}  // namespace leger
