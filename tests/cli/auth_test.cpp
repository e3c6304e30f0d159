// leger auth status and logout.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/sign_in_harness.h"

namespace leger {
namespace {

using test::failure;
using test::in_days;
using test::kToken;
using test::kUuid;
using test::Ran;
using test::sign_in_data;
using test::SignInHarness;
using test::stored;
using test::success;

TEST_CASE("auth status shows who is signed in, by what is stored here") {
  SignInHarness harness;
  const std::string expiry = in_days(30);
  harness.write_sign_ins({harness.server.url()}, stored(expiry));
  const Ran ran = harness.run_there({"auth", "status"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "Authenticated\n  User: alice@example.com\n  UUID: " + std::string(kUuid) +
                       "\n  Expires: " + expiry + "\n  Server: " + harness.server.url() + "\n");
  CHECK(Json::parse(harness.run_there({"auth", "status", "--json"}).out) == Json{{"authenticated", true},
                                                                                 {"server", harness.server.url()},
                                                                                 {"user_email", "alice@example.com"},
                                                                                 {"user_uuid", kUuid},
                                                                                 {"expires_at", expiry},
                                                                                 {"expired", false}});
  CHECK(harness.server.seen().empty());
}

TEST_CASE("auth status without a sign-in, and with an expired one, says so and is no failure") {
  SignInHarness harness;
  const std::string none = "Not authenticated\n\nAuthenticate with: leger auth login\n";
  CHECK(harness.run_checked({"auth", "status"}).out == none);
  CHECK(harness.run_checked({"auth", "status"}).exit == 0);
  CHECK(harness.run_checked({"auth", "status", "--json"}).out == "{\"authenticated\":false}\n");
  CHECK(harness.run_there({"auth", "status"}).out == none);
  CHECK(harness.run_there({"auth", "status"}).exit == 0);
  harness.write_sign_ins({harness.server.url(), "https://other.example"}, stored("2026-01-01T00:00:00Z"));
  const Ran ran = harness.run_there({"auth", "status"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "Token expired\n\nRe-authenticate with: leger auth login\n\nAlso signed in to:\n  https://other.example  "
        "alice@example.com  expired 2026-01-01T00:00:00Z\n");
  const Json data = Json::parse(harness.run_there({"auth", "status", "--json"}).out);
  CHECK(data["authenticated"] == false);
  CHECK(data["expired"] == true);
  CHECK(data["servers"].size() == 1);
}

TEST_CASE("auth status on the socket asks who we are and lists the servers signed in to") {
  SignInHarness harness;
  harness.open_socket();
  const std::string socket = harness.folder / "leger/legerd.sock";
  harness.api->reply("GET /api/auth/me", 200,
                     success(R"({"user":{"user_uuid":")" + std::string(kUuid) +
                             R"(","tailscale_email":"alice@example.com"},"session":null,"roles":["operator"]})"));
  const std::string about = "No sign-in is needed on the socket " + socket +
                            "\n  User: alice@example.com\n  UUID: " + std::string(kUuid) + "\n";
  CHECK(harness.run_checked({"auth", "status"}).out == about);
  harness.write_sign_ins({"https://far.example"}, stored("2126-01-01T00:00:00Z"));
  const Ran ran = harness.run_checked({"auth", "status"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == about + "\nSigned in to:\n  https://far.example  alice@example.com  expires 2126-01-01T00:00:00Z\n");
  const Json data = Json::parse(harness.run_checked({"auth", "status", "--json"}).out);
  CHECK(data["authenticated"] == true);
  CHECK(data["server"] == socket);
  CHECK(data["user_uuid"] == kUuid);
  CHECK(data["servers"][0]["server"] == "https://far.example");
}

TEST_CASE("auth logout ends the session at the server and forgets the token") {
  SignInHarness harness;
  harness.write_sign_ins({harness.server.url(), "https://other.example"});
  harness.server.reply("POST /api/auth/logout", 200, success("{}"));
  const Ran ran = harness.run_there({"auth", "logout"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "✓ Logged out\n");
  CHECK(ran.err.empty());
  CHECK(harness.server.seen().at(0).headers.at("authorization") == "Bearer " + std::string(kToken));
  CHECK(harness.auth()["server"] == "https://other.example");
  CHECK(harness.auth()["servers"].size() == 1);
  CHECK(harness.run_there({"auth", "logout"}).out == "✓ Logged out\n");
  CHECK(harness.server.seen().size() == 1);
  CHECK(Json::parse(harness.run_there({"auth", "logout", "--json"}).out)["logged_out"] == Json::array());
}

TEST_CASE("auth logout forgets the token where the server cannot be told, and warns") {
  SignInHarness harness;
  harness.write_sign_ins({"http://127.0.0.1:1"});
  const Ran gone = harness.run_checked({"auth", "logout"});
  CHECK(gone.exit == 0);
  CHECK(gone.out == "✓ Logged out\n");
  CHECK(
      gone.err.starts_with("Warning: http://127.0.0.1:1 could not be told, so the session stays there until it "
                           "expires: "));
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
  harness.write_sign_ins({"http://8.8.8.8"});
  CHECK(harness.run_checked({"auth", "logout"}).err.contains("is refused"));
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
}

TEST_CASE("auth logout with a token that is not good any more has nothing to warn of") {
  SignInHarness harness;
  harness.write_sign_ins({harness.server.url()});
  harness.server.reply("POST /api/auth/logout", 401, failure(R"({"code":"invalid_token","message":"Expired."})"));
  CHECK(harness.run_there({"auth", "logout"}).err.empty());
  harness.write_sign_ins({harness.server.url()}, stored(in_days(-1)));
  const Ran ran = harness.run_there({"auth", "logout"});
  CHECK(ran.out == "✓ Logged out\n");
  CHECK(ran.err.empty());
  CHECK(harness.server.seen().size() == 1);
}

TEST_CASE("auth logout on the socket ends what was fetched over it and nothing else") {
  SignInHarness harness;
  harness.open_socket();
  harness.api->reply("POST /api/auth/code", 200, success(R"({"code":"C","url":")" + harness.server.url() + "\"}"));
  harness.api->reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  harness.server.reply("POST /api/auth/logout", 200, success("{}"));
  harness.write_sign_ins({"https://far.example"}, stored("2126-01-01T00:00:00Z"));
  CHECK(harness.run_checked({"auth", "login"}).exit == 0);
  CHECK(harness.auth()["servers"].size() == 2);
  CHECK(harness.run_checked({"auth", "logout"}).out == "✓ Logged out\n");
  CHECK(harness.server.seen().size() == 1);
  CHECK(harness.auth()["servers"].size() == 1);
  CHECK(harness.auth()["server"] == "https://far.example");
  const Ran again = harness.run_checked({"auth", "logout"});
  CHECK(again.exit == 0);
  CHECK(again.out == "No sign-in is needed on the socket " + (harness.folder / "leger/legerd.sock") +
                         ", and none was fetched over it\n\nSigned in to (log out with leger --server URL auth "
                         "logout):\n  https://far.example  alice@example.com  expires 2126-01-01T00:00:00Z\n");
}

}  // namespace
}  // namespace leger
