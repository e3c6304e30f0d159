// leger auth login: what is asked, what is sent, what is kept.

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/pkce.h"
#include "tests/cli/sign_in_harness.h"

namespace leger {
namespace {

using test::cli_failure;
using test::failure;
using test::kToken;
using test::kUuid;
using test::Ran;
using test::sign_in_data;
using test::SignInHarness;
using test::success;

constexpr const char* kNoTailscale =
    "Tailscale not running\n\nStart Tailscale:\n  sudo tailscale up\n\nVerify status:\n  tailscale status\n";

std::string expiry_of(const SignInHarness& harness) { return harness.auth()["expires_at"].get<std::string>(); }

TEST_CASE("auth login over TCP posts what tailscaled says and keeps the token") {
  SignInHarness harness;
  harness.start_tailscaled();
  harness.server.reply("POST /api/auth/cli", 200, success(sign_in_data()));
  const Ran ran = harness.run_there({"auth", "login"});
  CHECK(ran.err.empty());
  CHECK(ran.exit == 0);
  const auto seen = harness.server.seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].headers.count("authorization") == 0);
  const Json body = Json::parse(seen[0].body);
  const Json status = test::status_answer();
  CHECK(body.size() == 2);
  CHECK(body["cli_version"] == LEGER_VERSION);
  CHECK(body["tailscale"] == Json{{"user_id", "101"},
                                  {"login_name", "alice@example.com"},
                                  {"device_id", "nAliceCNTRL"},
                                  {"device_hostname", "laptop"},
                                  {"tailnet", status["CurrentTailnet"]["Name"]}});
  CHECK(harness.auth()["token"] == kToken);
  CHECK(harness.auth()["server"] == harness.server.url());
  CHECK(ran.out == "✓ Authenticated as alice@example.com\n  User UUID: " + std::string(kUuid) +
                       "\n  Tailnet: example.ts.net\n  Token expires: " + expiry_of(harness) + "\n");
}

TEST_CASE("auth login --json prints who and until when, and no token") {
  SignInHarness harness;
  harness.start_tailscaled();
  harness.server.reply("POST /api/auth/cli", 200, success(sign_in_data()));
  const Ran ran = harness.run_there({"auth", "login", "--json"});
  CHECK(ran.exit == 0);
  CHECK(Json::parse(ran.out) == Json{{"server", harness.server.url()},
                                     {"user_email", "alice@example.com"},
                                     {"user_uuid", kUuid},
                                     {"tailnet", "example.ts.net"},
                                     {"expires_at", expiry_of(harness)}});
}

TEST_CASE("without a tailscaled that runs nothing is sent") {
  SignInHarness harness;
  CHECK(harness.run_there({"auth", "login"}).err == kNoTailscale);  // it waits for its first sign-in
  harness.start_tailscaled();
  Json stopped = test::status_answer();
  stopped["BackendState"] = "Stopped";
  harness.tailscaled.set_status(stopped);
  CHECK(harness.run_there({"auth", "login"}).err == kNoTailscale);
  harness.tailscaled.set_fault(test::FakeTailscaled::Fault::garbage);
  CHECK(harness.run_there({"auth", "login"}).err == kNoTailscale);
  harness.io.environment["LEGER_TAILSCALED_SOCKET"] = harness.folder / "absent";
  const Ran ran = harness.run_there({"auth", "login"});
  CHECK(ran.err == kNoTailscale);
  CHECK(ran.exit == 1);
  CHECK(harness.server.seen().empty());
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
}

TEST_CASE("a tagged device is told before anything is sent") {
  SignInHarness harness;
  for (const std::int64_t user_id : {0, 101}) {  // which of them it has depends on the control server
    harness.start_tailscaled({.user_id = user_id, .login_name = "tagged-devices", .tags = {"tag:ci"}});
    const Ran ran = harness.run_there({"auth", "login"});
    CHECK(ran.exit == 1);
    CHECK(ran.err ==
          "This device is tagged (tag:ci), so no person stands behind it.\n\nSign in from a device of your own, or use "
          "legerd's socket on its host.\n");
  }
  CHECK(harness.server.seen().empty());
}

TEST_CASE("a sign-in that the server refuses says why and what helps") {
  SignInHarness harness;
  harness.start_tailscaled();
  const std::string server = harness.server.url().substr(7);
  struct Line {
    int status;
    std::string body;
    std::string text;
  };
  const std::vector<Line> lines{
      {403, cli_failure("account_not_linked"),
       "Your Tailscale account is not linked to " + server +
           "\n\nFor v0.1.0: The backend accepts any authenticated Tailscale user.\nFor v0.2.0: You'll need to link "
           "your "
           "account at " +
           server + "\n\nThis error should not occur in v0.1.0. Please report if you see this.\n"},
      {403, cli_failure("tailscale_verification_failed", "You are somebody else."),
       "You are somebody else.\n\nCheck that this device and " + server +
           " are in the same tailnet:\n  tailscale status\n"},
      {503, cli_failure("unavailable", "tailscaled is silent."),
       "tailscaled is silent.\n\nTry again in a moment. If it stays, check on legerd's host:\n  tailscale status\n"},
      {429, cli_failure("rate_limit_exceeded", "Too many sign-ins."),
       "Too many sign-ins.\n\nWait a minute, then try again:\n  leger auth login\n"},
      {403, failure(R"({"code":"tailscale_verification_failed","message":"No.","action":"Ask the owner."})"),
       "No.\n\nAsk the owner.\n"},
      {400, cli_failure("invalid_request", "The body is odd."), "The body is odd.\n"},
  };
  for (const Line& line : lines) {
    CAPTURE(line.body);
    harness.server.reply("POST /api/auth/cli", line.status, line.body);
  }
  for (const Line& line : lines) {
    CAPTURE(line.body);
    const Ran ran = harness.run_there({"auth", "login"});
    CHECK(ran.exit == 1);
    CHECK(ran.out.empty());
    CHECK(ran.err == line.text);
  }
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
}

TEST_CASE("an answer without a token that can be used is none, and nothing is kept") {
  const auto with = [](const char* field, const Json& value) {
    Json data = Json::parse(sign_in_data());
    data[field] = value;
    return data.dump();
  };
  Json without_user = Json::parse(sign_in_data());
  without_user.erase("user");
  for (const std::string& data :
       {std::string("{}"), std::string("[]"), with("token", ""), with("token", 7), with("token", "CANARY\nX-Evil: 1"),
        with("token_type", "Basic"), with("expires_in", 0), with("expires_in", -1), with("expires_in", "soon"),
        with("expires_in", std::int64_t{9'000'000'000'000'000'000}), with("user_uuid", nullptr), without_user.dump()}) {
    CAPTURE(data);
    SignInHarness harness;
    harness.start_tailscaled();
    harness.server.reply("POST /api/auth/cli", 200, success(data));
    const Ran ran = harness.run_there({"auth", "login"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.contains("does not answer as legerd does"));
    CHECK_FALSE(std::filesystem::exists(harness.auth_path));
  }
}

TEST_CASE("a hostile account name steers no terminal") {
  SignInHarness harness;
  harness.start_tailscaled();
  Json data = Json::parse(sign_in_data());
  data["user"]["tailscale_email"] = "a\x1b[2J\n✓";
  harness.server.reply("POST /api/auth/cli", 200, success(data.dump()));
  CHECK(harness.run_there({"auth", "login"}).out.starts_with("✓ Authenticated as a\\x1b[2J\\x0a✓\n"));
  CHECK(harness.run_there({"auth", "status"}).out.contains("  User: a\\x1b[2J\\x0a✓\n"));
}

TEST_CASE("auth login and login on the socket fetch a token for legerd's TCP door") {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"auth", "login"}, {"login"}, {"login", "--no-browser"}}) {
    SignInHarness harness;
    harness.open_socket();
    harness.api->reply("POST /api/auth/code", 200,
                       success(R"({"code":"ABCD-EFGH-JKLM","expires_in":60,"url":"HTTP://127.0.0.1:80/"})"));
    harness.api->reply("POST /api/auth/exchange", 200, success(sign_in_data()));
    const Ran ran = harness.run_checked(command);
    CHECK(ran.err.empty());
    CHECK(ran.exit == 0);
    CHECK(ran.out.starts_with("✓ Authenticated as alice@example.com\n"));
    const auto seen = harness.api->seen();
    REQUIRE(seen.size() == 2);
    const Json exchange = Json::parse(seen[1].body);
    CHECK(exchange["code"] == "ABCD-EFGH-JKLM");
    CHECK(Json::parse(seen[0].body)["challenge"] == challenge_of(exchange["verifier"].get<std::string>()));
    CHECK(harness.auth()["server"] == "http://127.0.0.1");
    CHECK(harness.auth()["servers"]["http://127.0.0.1"]["token"] == kToken);
  }
}

TEST_CASE("a legerd without a TCP door has nothing to sign in to") {
  SignInHarness harness;
  harness.open_socket();
  harness.api->reply("POST /api/auth/code", 200, success(R"({"code":"ABCD-EFGH-JKLM","expires_in":60})"));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"auth", "login"}, {"open"}}) {
    const Ran ran = harness.run_checked(command);
    CHECK(ran.exit == 1);
    CHECK(
        ran.err.starts_with("legerd has no TCP door open, so there is nothing to sign in to.\n\nOn its socket no "
                            "sign-in is needed."));
  }
  CHECK(harness.api->seen().size() == 2);
}

TEST_CASE("auth login mends a corrupt file") {
  SignInHarness harness;
  harness.write_auth("CANARY");
  harness.start_tailscaled();
  harness.server.reply("POST /api/auth/cli", 200, success(sign_in_data()));
  CHECK(harness.run_there({"auth", "login"}).exit == 0);
  CHECK(harness.auth()["server"] == harness.server.url());
}

}  // namespace
}  // namespace leger
