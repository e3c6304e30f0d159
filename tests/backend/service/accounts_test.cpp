#include "backend/service/accounts.h"

#include <doctest/doctest.h>

#include "backend/crypto/seal.h"
#include "tests/backend/service/store.h"

namespace leger {

TEST_CASE("The owner is made once, and is the same after a restart") {
  const test::TemporaryFolder folder;
  std::string first;
  {
    test::Store store(folder.path());
    first = store.user;
    CHECK(first == name_uuid("local:dev@host"));
    const auto owner = store.user_rows->owner();
    REQUIRE(owner);
    REQUIRE(*owner);
    CHECK((*owner)->tailscale_user_id == "local:dev@host");
    CHECK((*owner)->display_name == "dev");
    CHECK((*owner)->created_at == rfc3339(store.clock.wall_seconds()));
  }
  test::Store store(folder.path());
  CHECK(store.user == first);
  // The login name of the process does not make a second owner.
  Accounts accounts(*store.user_rows, store.clock);
  const auto again = test::run(store.loop, accounts.ensure_owner("other", "elsewhere"));
  REQUIRE(again);
  CHECK(again->user_uuid == first);
  CHECK(again->display_name == "dev");
}

}  // namespace leger
