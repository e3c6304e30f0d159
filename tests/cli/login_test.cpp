// leger login and leger open: the page in the browser, and what comes back from it.

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/pkce.h"
#include "tests/cli/browser_harness.h"

namespace leger {
namespace {

using test::BrowserHarness;
using test::failure;
using test::kToken;
using test::kUuid;
using test::location_of;
using test::OpenedPage;
using test::Ran;
using test::sign_in_data;
using test::SignInHarness;
using test::success;

std::string result_page(const SignInHarness& harness, const std::string& result) {
  return harness.server.url() + "/auth/callback?result=" + result;
}

TEST_CASE("login opens the page, takes its code and trades it for a token") {
  BrowserHarness harness;
  harness.start_tailscaled();
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  OpenedPage page("");
  std::string sent_to;
  const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
    page = opened;
    sent_to = location_of(opened.come_back_with_code());
  });
  CHECK(ran.exit == 0);
  CHECK(ran.err == "Open this address in your browser if it does not open by itself:\n\n  " + page.address + "\n\n");
  CHECK(page.address.starts_with(harness.server.url() + "/auth/callback?device_id=nAliceCNTRL&redirect_uri=http%3A"));
  CHECK(page.at("redirect_uri").starts_with("http://127.0.0.1:"));
  CHECK(page.at("redirect_uri").ends_with("/"));
  CHECK(page.at("state").size() == 43);
  CHECK(page.query.size() == 4);
  CHECK(sent_to == result_page(harness, "success"));
  const auto seen = harness.server.seen();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].headers.count("authorization") == 0);
  const Json exchange = Json::parse(seen[0].body);
  CHECK(exchange["code"] == "ABCD-EFGH-JKLM");
  CHECK(challenge_of(exchange["verifier"].get<std::string>()) == page.at("challenge"));
  CHECK(ran.out ==
        "✓ Authenticated as alice@example.com\n  User UUID: " + std::string(kUuid) +
            "\n  Tailnet: example.ts.net\n  Token expires: " + harness.auth()["expires_at"].get<std::string>() + "\n");
  CHECK(harness.auth()["servers"][harness.server.url()]["token"] == kToken);
}

TEST_CASE("login works without a tailscaled, and --json prints no token") {
  BrowserHarness harness;
  harness.io.environment["LEGER_TAILSCALED_SOCKET"] = harness.folder / "absent";
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  std::string device = "none";
  const Ran ran = harness.browse({"login", "--json"}, [&](const OpenedPage& opened) {
    device = opened.at("device_id");
    opened.come_back_with_code();
  });
  CHECK(ran.exit == 0);
  CHECK(device.empty());
  const Json data = Json::parse(ran.out);
  CHECK(data["user_email"] == "alice@example.com");
  CHECK(data.size() == 5);
}

TEST_CASE("an answer without our state is sent away, and login waits on") {
  BrowserHarness harness;
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  std::vector<std::string> sent_to;
  const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
    const std::string state = opened.at("state");
    for (const std::string& query :
         {std::string("code=EVIL&state=x"), std::string("code=EVIL"), std::string(), std::string("state="),
          "code=EVIL&state=" + state + "x", "code=EVIL&state=" + state.substr(1), "code=EVIL&state=x&state=" + state,
          std::string("error=access_denied&state=x"), "code=EVIL&state=%zz&x=" + state}) {
      sent_to.push_back(location_of(opened.come_back(query)));
    }
    sent_to.push_back(location_of(opened.come_back_with_code()));
  });
  CHECK(ran.exit == 0);
  REQUIRE(sent_to.size() == 10);
  for (std::size_t i = 0; i < 9; ++i) CHECK(sent_to[i] == result_page(harness, "wrong_state"));
  CHECK(sent_to.back() == result_page(harness, "success"));
  REQUIRE(harness.server.seen().size() == 1);
  CHECK_FALSE(harness.server.seen()[0].body.contains("EVIL"));
}

TEST_CASE("the code is taken once: nobody listens after that") {
  BrowserHarness harness;
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  OpenedPage page("");
  const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
    page = opened;
    opened.come_back_with_code();
  });
  CHECK(ran.exit == 0);
  CHECK(page.come_back_with_code() == "refused");
  CHECK(harness.server.seen().size() == 1);
}

TEST_CASE("a person who says no in the browser ends the sign-in") {
  BrowserHarness harness;
  std::string sent_to;
  const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
    sent_to = location_of(opened.come_back("error=access_denied&state=" + opened.at("state")));
  });
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.ends_with("\n\nThe sign-in was declined in the browser.\n"));
  CHECK(sent_to == result_page(harness, "access_denied"));
  CHECK(harness.server.seen().empty());
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
}

TEST_CASE("another error of the page, and an answer without a code, end the sign-in too") {
  struct Line {
    std::string query;
    std::string message;
  };
  for (const Line& line : std::vector<Line>{{"error=a%1B%5B2J", "The sign-in failed in the browser: \"a\\x1b[2J\""},
                                            {"error=", "The sign-in failed in the browser: \"\""},
                                            {"cod=x", "The browser brought no code."}}) {
    BrowserHarness harness;
    std::string sent_to;
    const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
      sent_to = location_of(opened.come_back(line.query + "&state=" + opened.at("state")));
    });
    CHECK(ran.exit == 1);
    CHECK(ran.err.ends_with("\n\n" + line.message + "\n\nStart over:\n  leger login\n"));
    CHECK(sent_to == result_page(harness, "failed"));
    CHECK(harness.server.seen().empty());
  }
}

TEST_CASE("a code that legerd refuses is its message here and its reason in the page") {
  struct Line {
    std::string details;
    std::string reason;
  };
  const std::vector<Line> lines{{R"({"reason":"expired"})", "expired"},
                                {R"({"reason":"another_verifier"})", "another_verifier"},
                                {R"({"reason":"https://evil.example"})", "failed"},
                                {R"({"reason":"Expired"})", "failed"},
                                {R"({"reason":"a&result=success"})", "failed"},
                                {R"({"reason":""})", "failed"},
                                {R"({"reason":")" + std::string(33, 'a') + "\"}", "failed"},
                                {R"({"reason":7})", "failed"},
                                {R"([])", "failed"}};
  for (const Line& line : lines) {
    CAPTURE(line.details);
    BrowserHarness harness;
    harness.server.reply(
        "POST /api/auth/exchange", 401,
        failure(R"({"code":"invalid_token","message":"The code has expired.","details":)" + line.details + "}"));
    std::string sent_to;
    const Ran ran = harness.browse(
        {"login"}, [&](const OpenedPage& opened) { sent_to = location_of(opened.come_back_with_code()); });
    CHECK(ran.exit == 1);
    CHECK(ran.err.contains("\n\nThe code has expired.\n"));
    CHECK(ran.err.ends_with("\n\nStart over:\n  leger login\n"));
    CHECK(sent_to == result_page(harness, line.reason));
    CHECK_FALSE(std::filesystem::exists(harness.auth_path));
  }
}

TEST_CASE("a token that cannot be kept is a failure in the page too") {
  BrowserHarness harness;
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  std::string sent_to;
  const Ran ran = harness.browse({"login"}, [&](const OpenedPage& opened) {
    harness.write_auth("{}", 0644);  // after the look at it
    sent_to = location_of(opened.come_back_with_code());
  });
  CHECK(ran.exit == 1);
  CHECK(ran.err.contains("chmod 600"));
  CHECK(sent_to == result_page(harness, "failed"));
}

TEST_CASE("login gives up when nobody comes back in time") {
  BrowserHarness harness;
  harness.io.patience.sign_in_ms = 20;
  const Ran ran = harness.browse({"login"}, [](const OpenedPage&) {});
  CHECK(ran.exit == 1);
  CHECK(
      ran.err.ends_with("Nobody signed in in the browser in time.\n\nStart over:\n  leger login\n\nOr without a "
                        "browser on this machine:\n  leger login --no-browser\n"));
}

TEST_CASE("a browser that fails is told, and the printed address still works") {
  BrowserHarness harness;
  harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
  const std::string script = harness.folder / "browser";
  const std::string failing = harness.write_file("failing", "#!/bin/sh\n" + script + " \"$1\" &\nexit 3\n");
  REQUIRE(chmod(failing.c_str(), 0700) == 0);
  harness.io.environment["BROWSER"] = failing;
  harness.io.patience.browser_ms = 5000;
  const Ran ran = harness.browse({"login"}, [](const OpenedPage& opened) { opened.come_back_with_code(); });
  CHECK(ran.exit == 0);
  CHECK(ran.err.contains("Warning: The browser did not start: \"" + failing + "\" failed.\n"));
}

TEST_CASE("with --no-browser, and without a browser, the code of the page is typed") {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"login", "--no-browser"}, {"login"}}) {
    BrowserHarness harness;
    if (command.size() == 1) harness.io.environment.erase("BROWSER");
    harness.start_tailscaled();
    harness.server.reply("POST /api/auth/exchange", 200, success(sign_in_data()));
    const Ran ran = harness.run_there(command, " abcd-efgh-jklm\t\r\nsecond line\n");
    CHECK(ran.exit == 0);
    CHECK(ran.out.starts_with("✓ Authenticated as alice@example.com\n"));
    const std::string intro = "Open this address in a browser, then type the code that the page shows:\n\n  ";
    REQUIRE(ran.err.starts_with(intro));
    const OpenedPage page(ran.err.substr(intro.size(), ran.err.find('\n', intro.size()) - intro.size()));
    CHECK(page.address.starts_with(harness.server.url() + "/auth/callback?device_id=nAliceCNTRL&"));
    CHECK_FALSE(page.query.contains("redirect_uri"));
    REQUIRE(harness.server.seen().size() == 1);
    const Json exchange = Json::parse(harness.server.seen()[0].body);
    CHECK(exchange["code"] == "abcd-efgh-jklm");
    CHECK(challenge_of(exchange["verifier"].get<std::string>()) == page.at("challenge"));
  }
}

TEST_CASE("a typed code that is none is not sent, one that is refused is told") {
  SignInHarness harness;
  for (const std::string& typed : {std::string(), std::string("\n"), std::string("  \r\n"), std::string(300, 'x')}) {
    const Ran ran = harness.run_there({"login", "--no-browser"}, typed);
    CHECK(ran.exit == 1);
    CHECK(ran.err.ends_with("That is no code.\n\nStart over:\n  leger login\n"));
  }
  CHECK(harness.server.seen().empty());
  harness.server.reply("POST /api/auth/exchange", 401,
                       failure(R"({"code":"invalid_token","message":"The code is used or unknown."})"));
  const Ran ran = harness.run_there({"login", "--no-browser"}, "ABCD-EFGH-JKLM\n");
  CHECK(ran.exit == 1);
  CHECK(ran.err.ends_with("The code is used or unknown.\n\nStart over:\n  leger login\n"));
  CHECK_FALSE(ran.err.contains("Code: "));  // asked only where a terminal is
}

namespace {

// Where a page of leger's leads.
std::string redirection_of(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view kBefore = "content=\"0; url=";
  const std::size_t begin = text.find(kBefore);
  REQUIRE(begin != std::string::npos);
  std::string address = text.substr(begin + kBefore.size());
  address.resize(address.find('"'));
  const std::size_t amp = address.find("&amp;");
  REQUIRE(amp != std::string::npos);
  return address.replace(amp, 5, "&");
}

}  // namespace

TEST_CASE("open on the socket opens the page with a code and the verifier in the fragment") {
  BrowserHarness harness;
  harness.open_socket();
  harness.api->reply("POST /api/auth/code", 200,
                     success(R"({"code":"ABCD-EFGH-JKLM","expires_in":60,"url":"http://127.0.0.1:8787"})"));
  for (const bool json : {false, true}) {
    CAPTURE(json);
    const Ran ran =
        harness.run_checked(json ? std::vector<std::string>{"open", "--json"} : std::vector<std::string>{"open"});
    // Not on the browser's command line, which others can read, but in a page that they cannot.
    const std::string page = harness.folder / "leger/open.html";
    CHECK(harness.opened() == "file://" + page);
    struct stat status{};
    REQUIRE(stat(page.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const std::string address = redirection_of(page);
    CHECK(ran.exit == 0);
    CHECK(ran.err.empty());
    CHECK(ran.out == (json ? "{\"opened\":true,\"url\":\"http://127.0.0.1:8787/\"}\n"
                           : "✓ Opened http://127.0.0.1:8787/ in the browser\n"));
    const std::string start = "http://127.0.0.1:8787/login#code=ABCD-EFGH-JKLM&verifier=";
    REQUIRE(address.starts_with(start));
    const Json asked = Json::parse(harness.api->seen().back().body);
    CHECK(asked["challenge"] == challenge_of(address.substr(start.size())));
  }
}

TEST_CASE("open prints the address where it is asked to, and where there is no browser") {
  BrowserHarness harness;
  harness.open_socket();
  harness.api->reply("POST /api/auth/code", 200,
                     success(R"({"code":"ABCD-EFGH-JKLM","expires_in":60,"url":"http://127.0.0.1:8787"})"));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"open", "--no-browser"}, {"open"}}) {
    if (command.size() == 1) harness.io.environment["BROWSER"] = "/absent/browser";
    const Ran ran = harness.run_checked(command);
    CHECK(ran.exit == 0);
    CHECK(ran.out.starts_with("http://127.0.0.1:8787/login#code=ABCD-EFGH-JKLM&verifier="));
    CHECK(ran.err == "The address is good for 60 s and for one use, and signs in whoever opens it.\n");
  }
}

TEST_CASE("open over TCP opens the page of the server, whose token stays here") {
  BrowserHarness harness;
  harness.write_sign_ins({harness.server.url()});
  CHECK(harness.run_there({"open"}).out == "✓ Opened " + harness.server.url() + "/ in the browser\n");
  CHECK(harness.opened() == harness.server.url() + "/");
  const Ran printed = harness.run_there({"open", "--no-browser"});
  CHECK(printed.out == harness.server.url() + "/\n");
  CHECK(printed.err.empty());
  CHECK(harness.server.seen().empty());
}

TEST_CASE("open says so when the browser fails") {
  BrowserHarness harness;
  harness.write_sign_ins({harness.server.url()});
  harness.io.environment["BROWSER"] = "/bin/false";
  harness.io.patience.browser_ms = 5000;
  const Ran ran = harness.run_there({"open"});
  CHECK(ran.exit == 1);
  CHECK(ran.err ==
        "The browser did not start: \"/bin/false\" failed.\n\nPrint the address instead:\n  leger open --no-browser\n");
}

}  // namespace
}  // namespace leger
