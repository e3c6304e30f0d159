#pragma once

// A running daemon whose tailscaled is a fake in userspace mode: every connection over loopback is whom the fake says,
// by its port, Alice where it says nothing else.

#include <string>
#include <string_view>

#include "backend/base/json.h"
#include "tests/daemon/running_daemon.h"
#include "tests/fakes/fake_tailscaled.h"

namespace leger::test {

class TailnetDaemon {
 public:
  explicit TailnetDaemon(DaemonSettings settings = {});

  // A connection of this person's; a name of the fake's default one where nothing is given.
  Client connect() const { return daemon->tcp(); }
  Client connect_as(const FakeNode& node);

  // The data of an answer with this status; the test fails for another.
  static Json data_of(const Answer& answer, int status = 200);
  // The code of a failure in the backend's dialect, or in the CLI's.
  static std::string code_of(const Answer& answer);

  // A token of Alice's, by the browser's sign-in on a connection of its own.
  std::string token();
  std::string token_on(Client& client);

  // How often tailscaled was asked whose a connection is.
  std::size_t asked_about_peers() const;

  // What a statement with one number says of the store's file.
  std::int64_t stored(const std::string& sql) const;

  TemporaryFolder folder;
  FakeTailscaled tailscaled;
  std::optional<RunningDaemon> daemon;
};

inline FakeNode bob() {
  return {.user_id = 102,
          .login_name = "bob@example.com",
          .display_name = "Bob",
          .node_id = 12,
          .stable_id = "nBobCNTRL",
          .hostname = "phone"};
}

std::string bearer(std::string_view token);

// Verifier and challenge of RFC 7636, appendix B.
inline constexpr std::string_view kVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
inline constexpr std::string_view kChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

}  // namespace leger::test
