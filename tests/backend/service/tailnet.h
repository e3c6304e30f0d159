#pragma once

// What the rules about identity stand on, for tests: a store, a fake tailscaled whose own node is `cupboard` of user
// 42, and the services over both. Peers are whatever a test says; no connection is made but to tailscaled.

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backend/base/http_client.h"
#include "backend/service/accounts.h"
#include "backend/service/identities.h"
#include "backend/service/this_node.h"
#include "backend/tailscale/local_api.h"
#include "tests/backend/service/store.h"
#include "tests/fakes/fake_tailscaled.h"

namespace leger::test {

inline FakeNode this_node() {
  return {.user_id = 42,
          .login_name = "olga@example.com",
          .display_name = "Olga",
          .node_id = 1,
          .stable_id = "nCupboardCNTRL",
          .hostname = "cupboard",
          .ips = {"100.64.0.1", "fd7a:115c:a1e0::1"}};
}

inline const PeerAddress kAlicesLaptop{.ip = "100.64.0.2", .port = 40'000};

class Tailnet {
 public:
  explicit Tailnet(const std::string& folder, IdentitySettings settings = {}, AccountSettings account_settings = {})
      : tailscaled(folder + "/tailscaled.sock"), store(folder) {
    tailscaled.set_status(status_answer(this_node()));
    tailscaled.set_whois("100.64.0.1", whois_answer(this_node()));  // by which the node learns who its user is
    tailscaled.set_whois("100.64.0.2", whois_answer());
    http.emplace(store.loop);
    local_api.emplace(store.loop, *http, tailscaled.path());
    node.emplace(store.loop, *local_api);
    identities.emplace(store.loop, *local_api, nullptr, *node, settings);
    accounts.emplace(*store.user_rows, store.clock, *node, std::move(account_settings));
    REQUIRE(run(store.loop, accounts->ensure_owner("dev", "host")));
  }

  Result<Identity> prove(const PeerAddress& peer) { return run(store.loop, identities->prove(peer)); }
  Result<void> prove_local(const PeerAddress& peer) { return run(store.loop, identities->prove_local(peer)); }

  FakeTailscaled tailscaled;
  Store store;  // its owner is there before tailscaled is asked: `local:dev@host`
  std::optional<HttpClient> http;
  std::optional<LocalApi> local_api;
  std::optional<ThisNode> node;
  std::optional<Identities> identities;
  std::optional<Accounts> accounts;
};

}  // namespace leger::test
