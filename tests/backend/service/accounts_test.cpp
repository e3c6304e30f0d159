#include "backend/service/accounts.h"

#include <doctest/doctest.h>

#include "backend/crypto/seal.h"
#include "tests/backend/service/tailnet.h"

namespace leger::test {
namespace {

Identity identity_of(const std::string& id, const std::string& login) {
  return {.binding = "tailnet:" + id,
          .tailscale_user_id = id,
          .login_name = login,
          .display_name = "Somebody",
          .tailnet = "example.ts.net",
          .device_id = "nDeviceCNTRL",
          .hostname = "laptop"};
}

User recorded(Tailnet& tailnet, const Identity& identity, const ClientNotes& notes = {}) {
  auto user = run(tailnet.store.loop, tailnet.accounts->record(identity, notes));
  REQUIRE(user);
  return *user;
}

}  // namespace

TEST_CASE("The owner is made once, and is the same after a restart") {
  const TemporaryFolder folder;
  std::string first;
  {
    Store store(folder.path());
    first = store.user;
    CHECK(first == name_uuid("local:dev@host"));
    const auto owner = store.user_rows->owner();
    REQUIRE(owner);
    REQUIRE(*owner);
    CHECK((*owner)->tailscale_user_id == "local:dev@host");
    CHECK((*owner)->display_name == "dev");
    CHECK((*owner)->created_at == rfc3339(store.clock.wall_seconds()));
  }
  Tailnet tailnet(folder.path());
  CHECK(tailnet.store.user == first);
  // The login name of the process does not make a second owner.
  const auto again = run(tailnet.store.loop, tailnet.accounts->ensure_owner("other", "elsewhere"));
  REQUIRE(again);
  CHECK(again->user_uuid == first);
  CHECK(again->display_name == "dev");
}

TEST_CASE("an account is keyed on the numeric id, whatever its login name") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  const User first = recorded(tailnet, identity_of("101", "alice@example.com"));
  CHECK(first.user_uuid == name_uuid("101"));
  const User renamed = recorded(tailnet, identity_of("101", "alice.smith@example.com"));
  CHECK(renamed.user_uuid == first.user_uuid);
  CHECK(renamed.tailscale_email == "alice.smith@example.com");
  const User other = recorded(tailnet, identity_of("102", "alice@example.com"));
  CHECK(other.user_uuid != first.user_uuid);
}

TEST_CASE("each sign-in is counted and leaves when and whence it came") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  const User first = recorded(tailnet, identity_of("101", "a@example.com"), {.cli_version = "0.1.0"});
  CHECK(first.total_authentications == 1);
  CHECK(first.last_device_id == "nDeviceCNTRL");
  CHECK(first.last_device_hostname == "laptop");
  CHECK(first.cli_version == "0.1.0");
  tailnet.store.clock.advance(3'600'000);
  const User second = recorded(tailnet, identity_of("101", "a@example.com"), {.hostname = std::string(1000, 'h')});
  CHECK(second.total_authentications == 2);
  CHECK(second.created_at == first.created_at);
  CHECK(second.last_seen == rfc3339(tailnet.store.clock.wall_seconds()));
  CHECK(second.last_device_hostname == std::string(255, 'h'));
  CHECK(second.cli_version == "0.1.0");
}

TEST_CASE("the user of this node who signs in is the owner, whose account stays what it was") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
  const User owner = recorded(tailnet, identity_of("42", "olga@example.com"));
  CHECK(owner.user_uuid == tailnet.store.user);
  CHECK(owner.tailscale_user_id == "42");
  CHECK(owner.tailscale_email == "olga@example.com");
  CHECK(recorded(tailnet, identity_of("42", "olga@example.com")).user_uuid == owner.user_uuid);
  CHECK(recorded(tailnet, identity_of("101", "alice@example.com")).user_uuid != owner.user_uuid);
}

TEST_CASE("the configured owner wins over the user of this node, who is then anybody") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path(), {}, {.owner = 101});
  REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
  CHECK(recorded(tailnet, identity_of("42", "olga@example.com")).user_uuid == name_uuid("42"));
  CHECK(recorded(tailnet, identity_of("101", "alice@example.com")).user_uuid == tailnet.store.user);
}

TEST_CASE("another owner in the configuration than the account has is said at the start, not passed over") {
  const TemporaryFolder folder;
  {
    Tailnet tailnet(folder.path());
    REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
    recorded(tailnet, identity_of("42", "olga@example.com"));
    recorded(tailnet, identity_of("101", "alice@example.com"));
  }
  Tailnet tailnet(folder.path());
  const auto start_with = [&](std::int64_t owner) {
    Accounts accounts(*tailnet.store.user_rows, tailnet.store.clock, *tailnet.node, {.owner = owner});
    return run(tailnet.store.loop, accounts.ensure_owner("dev", "host"));
  };
  CHECK(start_with(42));
  const auto other = start_with(101);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::conflict);
  CHECK(other.error().message.contains("olga@example.com"));
  CHECK_FALSE(other.error().action.empty());
}

TEST_CASE("an owner is not configured who has an account of their own already") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  recorded(tailnet, identity_of("101", "alice@example.com"));
  Accounts accounts(*tailnet.store.user_rows, tailnet.store.clock, *tailnet.node, {.owner = 101});
  const auto started = run(tailnet.store.loop, accounts.ensure_owner("dev", "host"));
  REQUIRE_FALSE(started);
  CHECK(started.error().code == Code::conflict);
  CHECK(started.error().message.contains("signed in here before"));
}

TEST_CASE("an account of the control API is of the login name that it confirmed") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  CHECK(recorded(tailnet, identity_of("login:alice@example.com", "alice@example.com")).user_uuid ==
        name_uuid("alice@example.com"));
}

TEST_CASE("a tagged node has no user who could be the owner") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path());
  FakeNode tagged = this_node();
  tagged.tags = {"tag:podman"};
  tailnet.tailscaled.set_status(status_answer(tagged));
  REQUIRE(run(tailnet.store.loop, tailnet.node->refresh(0)));
  CHECK(recorded(tailnet, identity_of("42", "olga@example.com")).user_uuid != tailnet.store.user);
}

TEST_CASE("an operator is the owner, whom the configuration lists, or who has the role") {
  const TemporaryFolder folder;
  Tailnet tailnet(folder.path(), {}, {.operators = {7, 9}});
  const Accounts& accounts = *tailnet.accounts;
  Identity somebody = identity_of("8", "a@example.com");
  CHECK_FALSE(accounts.is_operator("uuid", somebody));
  CHECK(accounts.is_operator(tailnet.store.user, somebody));
  CHECK(accounts.is_operator("uuid", identity_of("9", "a@example.com")));
  somebody.roles = {"viewer", "Operator"};
  CHECK_FALSE(accounts.is_operator("uuid", somebody));
  somebody.roles.emplace_back("operator");
  CHECK(accounts.is_operator("uuid", somebody));
  CHECK_FALSE(accounts.is_operator("uuid", identity_of("login:9", "9")));
}

}  // namespace leger::test
