// A host without tailscaled, where Tailscale's control API says who calls.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <string>

#include "tests/daemon/tailnet_daemon.h"
#include "tests/fakes/http_server.h"

namespace leger::test {
namespace {

// The API lists one device, at the address that the test's connections come from.
class ControlledDaemon {
 public:
  ControlledDaemon() {
    std::ofstream(folder_ / "key") << "tskey-api-secret\n";
    chmod((folder_ / "key").c_str(), 0600);
    tailnet.emplace(DaemonSettings{.change = [this](Config& config) {
      config.tailscale.api_key_file = folder_ / "key";
      config.tailscale.api_url = api_.url();
    }});
  }
  Answer sign_in(const std::string& user, const std::string& device, const std::string& email) const {
    const Json body{{"user_id", user}, {"device_id", device}, {"email", email}};
    return ask(tailnet->connect(), request("POST", "/api/auth/cli", dump(body)));
  }
  std::size_t asked() const { return api_.seen().size(); }

  std::atomic<bool> answers = true;

 private:
  Reply reply() const {
    if (!answers) return {.bytes = http_answer(500, "{}")};
    return {.bytes = http_answer(200, R"({"devices":[{"addresses":["127.0.0.1"],"id":"393735751060",
        "nodeId":"nAliceCNTRL","user":"Alice@Example.com","name":"laptop.tail-test.ts.net","hostname":"laptop",
        "expires":"2099-01-01T00:00:00Z","keyExpiryDisabled":false,"authorized":true,"isExternal":false,"tags":[]}]})")};
  }
  TemporaryFolder folder_;
  HttpServer api_{[this](const SeenRequest&) { return reply(); }};

 public:
  std::optional<TailnetDaemon> tailnet;
};

}  // namespace

TEST_CASE("the control API's word makes an account by the login name, whatever number was claimed") {
  const ControlledDaemon daemon;
  const Json first = TailnetDaemon::data_of(daemon.sign_in("12345", "nAliceCNTRL", "alice@example.com"));
  const Json second = TailnetDaemon::data_of(daemon.sign_in("u99", "393735751060", "ALICE@example.com"));
  CHECK(first["user_uuid"] == second["user_uuid"]);
  CHECK(daemon.asked() == 1);  // the list is kept for a moment
  Client client = daemon.tailnet->connect();
  client.send(request("PUT", "/api/secrets/key", R"({"value":"v"})", bearer(first["token"].get<std::string>())));
  CHECK(client.read_answer().status == 201);
  CHECK(daemon.tailnet->stored("SELECT count(*) FROM users WHERE tailscale_user_id IN ('12345', '99')") == 0);
  CHECK(daemon.tailnet->asked_about_peers() == 0);
}

TEST_CASE("another device or address than the control API lists is refused, and so is everybody while it is away") {
  ControlledDaemon daemon;
  CHECK(TailnetDaemon::code_of(daemon.sign_in("12345", "nBobCNTRL", "")) == "tailscale_verification_failed");
  CHECK(TailnetDaemon::code_of(daemon.sign_in("12345", "", "bob@example.com")) == "tailscale_verification_failed");
  daemon.answers = false;
  daemon.tailnet->daemon->advance(3'600'000);
  const Answer away = daemon.sign_in("12345", "nAliceCNTRL", "");
  CHECK(away.status >= 500);
  CHECK_FALSE(away.body.contains("tskey"));
  daemon.answers = true;
  CHECK(daemon.sign_in("12345", "nAliceCNTRL", "").status == 200);
}

}  // namespace leger::test
