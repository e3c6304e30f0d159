#pragma once

// The owner's account for tests that are about something else: made where no tailscaled is, so that it is
// `local:dev@host`.

#include <doctest/doctest.h>

#include <string>

#include "backend/base/http_client.h"
#include "backend/service/accounts.h"
#include "backend/service/this_node.h"
#include "backend/tailscale/local_api.h"
#include "tests/support.h"

namespace leger::test {

// Gives its user_uuid. `folder` holds no socket.
inline std::string make_owner(Loop& loop, Users& users, const std::string& folder) {
  HttpClient http(loop);
  LocalApi nobody(loop, http, folder + "/absent.sock");
  const ThisNode unknown(loop, nobody);
  Accounts accounts(users, loop.clock(), unknown, {});
  const auto owner = run(loop, accounts.ensure_owner("dev", "host"));
  REQUIRE(owner);
  return owner->user_uuid;
}

}  // namespace leger::test
