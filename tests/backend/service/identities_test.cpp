#include "backend/service/identities.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/backend/service/tailnet.h"

namespace leger::test {
namespace {

// The connections of these tests are only said to be.
IdentitySettings userspace(bool is_sole) {
  return {.userspace = true, .is_sole_connection = [is_sole](const std::string&, std::uint16_t) { return is_sole; }};
}

void check_refused(const Result<Identity>& proven, std::string_view words) {
  REQUIRE_FALSE(proven);
  CHECK(proven.error().code == Code::tailscale_verification_failed);
  CHECK_FALSE(proven.error().action.empty());
  const std::string said = proven.error().message + " " + proven.error().action;
  CAPTURE(said);
  CHECK(said.contains(words));
}

// The status of a node without a network device.
Json userspace_status() {
  Json status = status_answer(this_node());
  status["TUN"] = false;
  return status;
}

}  // namespace

TEST_CASE("a person on a device of the tailnet is who tailscaled says") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  const auto proven = tailnet.prove(kAlicesLaptop);
  REQUIRE(proven);
  CHECK(proven->binding == "tailnet:101");
  CHECK(proven->tailscale_user_id == "101");
  CHECK(proven->login_name == "alice@example.com");
  CHECK(proven->display_name == "Alice");
  CHECK(proven->device_id == "nAliceCNTRL");
  CHECK(proven->device_number == "11");
  CHECK(proven->hostname == "laptop");
  CHECK_FALSE(proven->tailnet.empty());
  CHECK(proven->roles.empty());
}

TEST_CASE("the port of the connection is asked about, IPv6 in brackets") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  tailnet.tailscaled.set_whois("fd7a:115c:a1e0::2", whois_answer());
  CHECK(tailnet.prove({.ip = "fd7a:115c:a1e0::2", .port = 7}));
  CHECK(tailnet.tailscaled.seen().back().target.contains("7"));
  CHECK(tailnet.tailscaled.seen().back().target.contains("proto=tcp"));
}

TEST_CASE("a peer of this machine or its link is never asked about") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  tailnet.tailscaled.set_default_whois(whois_answer(this_node()));
  for (const char* ip : {"127.0.0.1", "127.9.9.9", "::1"}) {
    CAPTURE(ip);
    check_refused(tailnet.prove({.ip = ip, .port = 1}), "leger open");
  }
  for (const char* ip : {"169.254.1.2", "fe80::1"}) {
    CAPTURE(ip);
    check_refused(tailnet.prove({.ip = ip, .port = 1}), "link-local");
  }
  check_refused(tailnet.prove({.is_owner_socket = true}), "needs no sign-in");
  CHECK(tailnet.tailscaled.count("whois") == 0);
}

TEST_CASE("an address that tailscaled gives to this very node proves nothing") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  tailnet.tailscaled.set_whois("100.64.0.9", whois_answer(this_node()));
  check_refused(tailnet.prove({.ip = "100.64.0.9", .port = 1}), "machine that legerd runs on");
}

TEST_CASE("devices behind which no person stands are refused by name") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  const std::vector<std::pair<FakeNode, std::string>> refused{
      {{.tags = {"tag:ci"}}, "tag:ci"},
      {{.sharer = 7}, "another tailnet"},
      {{.key_expiry = "2001-01-01T00:00:00Z"}, "expired"},
      {{.is_authorized = false}, "not approved"},
  };
  for (const auto& [node, words] : refused) {
    tailnet.tailscaled.set_whois("100.64.0.2", whois_answer(node));
    check_refused(tailnet.prove(kAlicesLaptop), words);
  }
  tailnet.tailscaled.forget_whois("100.64.0.2");
  check_refused(tailnet.prove(kAlicesLaptop), "100.64.0.2");
}

TEST_CASE("while tailscaled cannot be asked, or is not connected, nobody is anybody") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  Json stopped = status_answer(this_node());
  stopped["BackendState"] = "Stopped";
  tailnet.tailscaled.set_status(stopped);
  const auto unconnected = tailnet.prove(kAlicesLaptop);
  REQUIRE_FALSE(unconnected);
  CHECK(unconnected.error().code == Code::unavailable);
  tailnet.tailscaled.set_status(status_answer(this_node()));
  tailnet.store.clock.advance(60'000);
  REQUIRE(tailnet.prove(kAlicesLaptop));
  for (const auto fault : {FakeTailscaled::Fault::garbage, FakeTailscaled::Fault::close,
                           FakeTailscaled::Fault::wrong_types, FakeTailscaled::Fault::truncated_json}) {
    tailnet.store.clock.advance(60'000);  // past the time for which it is not asked after failures
    tailnet.tailscaled.set_fault(fault);
    const auto proven = tailnet.prove(kAlicesLaptop);
    REQUIRE_FALSE(proven);
    CHECK(proven.error().code == Code::unavailable);
  }
}

TEST_CASE("where tailscaled has no network device the refusal names the line of the configuration") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  tailnet.tailscaled.set_status(userspace_status());
  REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
  tailnet.tailscaled.set_default_whois(whois_answer());
  const std::size_t asked = tailnet.tailscaled.count("whois");
  check_refused(tailnet.prove({.ip = "127.0.0.1", .port = 9}), "userspace = true");
  CHECK(tailnet.tailscaled.count("whois") == asked);
}

TEST_CASE("in userspace mode a loopback port is somebody only if tailscaled names another node") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path(), userspace(true));
  tailnet.tailscaled.set_status(userspace_status());
  tailnet.tailscaled.set_whois("127.0.0.1:9", whois_answer());
  tailnet.tailscaled.set_whois("127.0.0.1:10", whois_answer(this_node()));
  const auto proven = tailnet.prove({.ip = "127.0.0.1", .port = 9});
  REQUIRE(proven);
  CHECK(proven->binding == "tailnet:101");
  check_refused(tailnet.prove({.ip = "127.0.0.1", .port = 10}), "machine that legerd runs on");
  check_refused(tailnet.prove({.ip = "127.0.0.1", .port = 11}), "127.0.0.1:11");
}

TEST_CASE("in userspace mode a port with two connections proves nobody, whatever tailscaled says of it") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path(), userspace(false));
  tailnet.tailscaled.set_status(userspace_status());
  tailnet.tailscaled.set_whois("127.0.0.1:9", whois_answer());
  check_refused(tailnet.prove({.ip = "127.0.0.1", .port = 9}), "same port");
}

TEST_CASE("what is local is this machine, and in userspace mode only what tailscaled did not bring") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  CHECK(tailnet.prove_local({.is_owner_socket = true}));
  CHECK(tailnet.prove_local({.ip = "127.0.0.1", .port = 9}));
  CHECK(tailnet.prove_local({.ip = "::1", .port = 9}));
  CHECK(tailnet.tailscaled.count("whois") == 0);
  for (const char* ip : {"100.64.0.2", "169.254.0.9", "203.0.113.9", "2001:db8::1", "", "nonsense"}) {
    CAPTURE(ip);
    const auto local = tailnet.prove_local({.ip = ip, .port = 9});
    REQUIRE_FALSE(local);
    CHECK(local.error().code == Code::tailscale_verification_failed);
  }
  tailnet.tailscaled.set_status(userspace_status());
  REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
  tailnet.tailscaled.set_whois("127.0.0.1:9", whois_answer());
  CHECK_FALSE(tailnet.prove_local({.ip = "127.0.0.1", .port = 9}));
  CHECK(tailnet.prove_local({.ip = "127.0.0.1", .port = 10}));
  tailnet.tailscaled.set_fault(FakeTailscaled::Fault::close);
  const auto unknown = tailnet.prove_local({.ip = "127.0.0.1", .port = 10});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::unavailable);
}

TEST_CASE("roles are those of the app capability") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  tailnet.tailscaled.set_whois("100.64.0.2", whois_answer({.roles = {"operator"}}));
  const auto proven = tailnet.prove(kAlicesLaptop);
  REQUIRE(proven);
  CHECK(proven->roles == std::vector<std::string>{"operator"});
}

}  // namespace leger::test
