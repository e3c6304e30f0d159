#pragma once

// For tests of signing in: a legerd on TCP, a tailscaled, the file with the sign-ins, and tokens that are looked for in
// all that leger prints.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/json.h"
#include "tests/cli/harness.h"
#include "tests/fakes/fake_tailscaled.h"

namespace leger::test {

inline constexpr const char* kToken = "eyCANARY.token-of_the.test";
inline constexpr const char* kUuid = "7e9b5f63-0f7c-5cbb-9c7c-0d5b7cf9f0a1";
inline constexpr const char* kNotAuthenticated = "not authenticated\n\nAuthenticate with: leger auth login\n";

// The data of every sign-in route.
inline std::string sign_in_data(const std::string& token = kToken) {
  return Json{{"token", token},
              {"token_type", "Bearer"},
              {"expires_in", 2'592'000},
              {"user_uuid", kUuid},
              {"user",
               {{"user_uuid", kUuid},
                {"email", "alice@example.com"},
                {"tailscale_email", "alice@example.com"},
                {"display_name", "Alice"},
                {"tailnet", "example.ts.net"}}}}
      .dump();
}

// A failure in the CLI's dialect.
inline std::string cli_failure(const std::string& code, const std::string& message = "") {
  Json body{{"success", false}, {"error", code}};
  if (!message.empty()) body["message"] = message;
  return body.dump();
}

inline std::string in_days(int days) { return rfc3339(SystemClock().wall_seconds() + days * 86'400); }

// The five fields of the file.
inline Json stored(const std::string& expires_at = in_days(30), const std::string& token = kToken) {
  return Json{{"token", token},
              {"token_type", "Bearer"},
              {"expires_at", expires_at},
              {"user_uuid", kUuid},
              {"user_email", "alice@example.com"}};
}

inline unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

class SignInHarness : public Harness {
 public:
  // The default socket is gone, so that the server is the one that a test names.
  SignInHarness() {
    api.reset();
    std::filesystem::remove(folder / "leger/legerd.sock");
  }

  // Runs leger against the server on TCP.
  Ran run_there(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"--server", server.url()});
    return run_checked(arguments, input);
  }

  // No run of leger ever shows a token.
  Ran run_checked(const std::vector<std::string>& arguments, const std::string& input = "") {
    Ran ran = run(arguments, input);
    CHECK_FALSE(ran.out.contains("CANARY"));
    CHECK_FALSE(ran.err.contains("CANARY"));
    return ran;
  }

  // tailscaled is up, as this node.
  void start_tailscaled(const FakeNode& node = {}) {
    tailscaled.set_status(status_answer(node));
    tailscaled.set_default_whois(whois_answer(node));
  }

  // Opens the default socket again.
  void open_socket() { api.emplace(folder / "leger/legerd.sock"); }

  void write_auth(const std::string& text, unsigned mode = 0600) const {
    std::filesystem::create_directories(folder / ".config/leger");
    std::ofstream(auth_path) << text;
    REQUIRE(chmod(auth_path.c_str(), mode) == 0);
  }
  // As it stands after a sign-in to these servers, the first one last.
  void write_sign_ins(const std::vector<std::string>& urls, const Json& entry = stored()) const {
    Json file = entry;
    file["server"] = urls.front();
    for (const std::string& url : urls) file["servers"][url] = entry;
    write_auth(file.dump());
  }
  std::string auth_text() const {
    std::ifstream file(auth_path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Json auth() const { return Json::parse(auth_text(), nullptr, false); }

  FakeApi server;
  FakeTailscaled tailscaled{folder / "tailscaled.sock"};
  std::string auth_path = folder / ".config/leger/auth.json";
};

}  // namespace leger::test
