#include "backend/store/users.h"

#include "tests/backend/store/fixture.h"

using namespace leger;
using namespace leger::test;

namespace {

User user_of(const std::string& uuid, const std::string& id) {
  return {.user_uuid = uuid,
          .tailscale_user_id = id,
          .tailscale_email = "alice@example",
          .tailnet = "example.ts.net",
          .display_name = "Alice",
          .created_at = kNow,
          .last_seen = kLater,
          .last_device_id = {},
          .last_device_hostname = "host",
          .cli_version = {},
          .total_authentications = 3};
}

SignIn sign_in_of(const std::string& uuid, const std::string& id) {
  return {.user_uuid = uuid,
          .tailscale_user_id = id,
          .tailscale_email = "bob@example.com",
          .tailnet = "other.ts.net",
          .display_name = "Bob",
          .device_id = "n123",
          .device_hostname = "laptop",
          .cli_version = "1.2.3",
          .now = kLater};
}

}  // namespace

TEST_CASE("there is no owner before there is one, and then it is found both ways, whole") {
  Store store;
  SqliteUsers users(store.database());
  CHECK_FALSE(users.owner().value().has_value());
  CHECK_FALSE(users.find(kAlice).value().has_value());
  REQUIRE(store.run(users.add_owner(user_of(kAlice, "123"))).has_value());
  store.close();
  store.open();
  SqliteUsers again(store.database());
  for (const auto& found : {again.owner().value(), again.find(kAlice).value()}) {
    REQUIRE(found.has_value());
    CHECK(found->user_uuid == kAlice);
    CHECK(found->tailscale_user_id == "123");
    CHECK(found->tailscale_email == "alice@example");
    CHECK(found->tailnet == "example.ts.net");
    CHECK(found->display_name == std::optional<std::string>("Alice"));
    CHECK(found->created_at == kNow);
    CHECK(found->last_seen == kLater);
    CHECK(found->last_device_id == std::nullopt);
    CHECK(found->last_device_hostname == std::optional<std::string>("host"));
    CHECK(found->cli_version == std::nullopt);
    CHECK(found->total_authentications == 3);
  }
  CHECK_FALSE(again.find(kBob).value().has_value());
}

TEST_CASE("a second owner is a conflict and the first one stays") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.add_owner(user_of(kAlice, "123"))).has_value());
  const auto second = store.run(users.add_owner(user_of(kBob, "456")));
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::conflict);
  CHECK(users.owner().value()->user_uuid == kAlice);
}

TEST_CASE("of many who would be owner at once one is") {
  Store store;
  SqliteUsers users(store.database());
  Several<Result<void>> tasks(store.loop());
  for (int i = 0; i < 20; ++i) tasks.start(users.add_owner(user_of("uuid-" + std::to_string(i), std::to_string(i))));
  int made = 0;
  for (const auto& result : tasks.finish()) made += result.has_value() ? 1 : 0;
  CHECK(made == 1);
}

TEST_CASE("an account that is there is not made the owner by adding it again") {
  Store store;
  store.add_user(kBob);
  SqliteUsers users(store.database());
  for (const User& user : {user_of(kBob, "456"), user_of(kAlice, kBob)}) {
    const auto added = store.run(users.add_owner(user));
    REQUIRE_FALSE(added.has_value());
    CHECK(added.error().code == Code::conflict);
  }
  CHECK_FALSE(users.owner().value().has_value());
}

TEST_CASE("hostile texts in every field of an account are kept as they are") {
  for (const std::string& text : hostile_strings()) {
    Store store;
    SqliteUsers users(store.database());
    User user = user_of(text, text);
    user.tailscale_email = user.tailnet = text;
    user.display_name = user.last_device_id = user.last_device_hostname = user.cli_version = text;
    REQUIRE(store.run(users.add_owner(user)).has_value());
    const auto found = users.find(text).value();
    REQUIRE(found.has_value());
    CHECK(found->tailscale_user_id == text);
    CHECK(found->tailscale_email == text);
    CHECK(found->tailnet == text);
    CHECK(found->display_name == std::optional<std::string>(text));
    CHECK(found->last_device_id == std::optional<std::string>(text));
    CHECK(found->last_device_hostname == std::optional<std::string>(text));
    CHECK(found->cli_version == std::optional<std::string>(text));
    CHECK(store.number("SELECT count(*) FROM users") == 1);
  }
}

TEST_CASE("a first sign-in makes an account that is not the owner's") {
  Store store;
  SqliteUsers users(store.database());
  const auto made = store.run(users.record(sign_in_of(kBob, "456")));
  REQUIRE(made);
  store.close();
  store.open();
  SqliteUsers again(store.database());
  for (const User& user : {*made, again.find(kBob).value().value()}) {
    CHECK(user.user_uuid == kBob);
    CHECK(user.tailscale_user_id == "456");
    CHECK(user.tailscale_email == "bob@example.com");
    CHECK(user.tailnet == "other.ts.net");
    CHECK(user.display_name == std::optional<std::string>("Bob"));
    CHECK(user.created_at == kLater);
    CHECK(user.last_seen == kLater);
    CHECK(user.last_device_id == std::optional<std::string>("n123"));
    CHECK(user.last_device_hostname == std::optional<std::string>("laptop"));
    CHECK(user.cli_version == std::optional<std::string>("1.2.3"));
    CHECK(user.total_authentications == 1);
  }
  CHECK_FALSE(again.owner().value().has_value());
}

TEST_CASE("a sign-in again updates the account that has its Tailscale id, keeps its uuid, and counts") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.add_owner(user_of(kAlice, "123"))));
  const auto user = store.run(users.record(sign_in_of(kBob, "123")));
  REQUIRE(user);
  CHECK(user->user_uuid == kAlice);
  CHECK(user->tailscale_email == "bob@example.com");  // a login name may change hands; the id is who it is
  CHECK(user->tailnet == "other.ts.net");
  CHECK(user->display_name == std::optional<std::string>("Bob"));
  CHECK(user->created_at == kNow);
  CHECK(user->last_seen == kLater);
  CHECK(user->last_device_id == std::optional<std::string>("n123"));
  CHECK(user->last_device_hostname == std::optional<std::string>("laptop"));
  CHECK(user->cli_version == std::optional<std::string>("1.2.3"));
  CHECK(user->total_authentications == 4);
  CHECK(users.owner().value()->user_uuid == kAlice);
  CHECK(store.number("SELECT count(*) FROM users") == 1);
}

TEST_CASE("what a sign-in does not say stays as it was") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.record(sign_in_of(kBob, "456"))));
  const auto user = store.run(users.record({.user_uuid = kBob, .tailscale_user_id = "456", .now = "later"}));
  REQUIRE(user);
  CHECK(user->tailscale_email == "bob@example.com");
  CHECK(user->tailnet == "other.ts.net");
  CHECK(user->display_name == std::optional<std::string>("Bob"));
  CHECK(user->last_device_id == std::optional<std::string>("n123"));
  CHECK(user->last_device_hostname == std::optional<std::string>("laptop"));
  CHECK(user->cli_version == std::optional<std::string>("1.2.3"));
  CHECK(user->last_seen == "later");
  CHECK(user->total_authentications == 2);
}

TEST_CASE("one email with two Tailscale ids is two accounts") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.record(sign_in_of(kAlice, "1"))));
  REQUIRE(store.run(users.record(sign_in_of(kBob, "2"))));
  CHECK(users.find(kAlice).value()->total_authentications == 1);
  CHECK(users.find(kBob).value()->tailscale_user_id == "2");
}

TEST_CASE("the owner's row gets its Tailscale id by the owner's sign-in, once") {
  for (const char* id : {"local:dev@host", "login:alice", "123x", "-1"}) {
    INFO(id);
    Store store;
    SqliteUsers users(store.database());
    REQUIRE(store.run(users.add_owner(user_of(kAlice, id))));
    SignIn owner = sign_in_of(kBob, "123");
    owner.is_owner = true;
    const auto user = store.run(users.record(owner));
    REQUIRE(user);
    CHECK(user->user_uuid == kAlice);
    CHECK(user->tailscale_user_id == "123");
    CHECK(user->tailscale_email == "bob@example.com");
    CHECK(user->total_authentications == 4);
    CHECK(store.number("SELECT count(*) FROM users") == 1);
    // Whoever is said to be the owner under another id later does not get the row.
    SignIn other = sign_in_of(kBob, "789");
    other.is_owner = true;
    REQUIRE(store.run(users.record(other)));
    CHECK(users.owner().value()->tailscale_user_id == "123");
    CHECK(users.find(kBob).value()->tailscale_user_id == "789");
  }
}

TEST_CASE("a sign-in of somebody else leaves the owner's row alone") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.add_owner(user_of(kAlice, "local:dev@host"))));
  REQUIRE(store.run(users.record(sign_in_of(kBob, "456"))));
  CHECK(users.owner().value()->tailscale_user_id == "local:dev@host");
  CHECK(users.owner().value()->total_authentications == 3);
  CHECK(users.find(kBob).value().has_value());
}

TEST_CASE("an account of the owner's id that is not the owner's stays its own") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.add_owner(user_of(kAlice, "local:dev@host"))));
  REQUIRE(store.run(users.record(sign_in_of(kBob, "456"))));
  SignIn owner = sign_in_of("unused", "456");
  owner.is_owner = true;
  const auto user = store.run(users.record(owner));
  REQUIRE(user);
  CHECK(user->user_uuid == kBob);
  CHECK(user->total_authentications == 2);
  CHECK(users.owner().value()->tailscale_user_id == "local:dev@host");
}

TEST_CASE("the owner's sign-in where there is no owner's row yet makes an ordinary account") {
  Store store;
  SqliteUsers users(store.database());
  SignIn owner = sign_in_of(kBob, "456");
  owner.is_owner = true;
  CHECK(store.run(users.record(owner))->user_uuid == kBob);
  CHECK_FALSE(users.owner().value().has_value());
}

TEST_CASE("a new account of a uuid that another has is a conflict and changes nothing") {
  Store store;
  SqliteUsers users(store.database());
  REQUIRE(store.run(users.record(sign_in_of(kBob, "456"))));
  const auto second = store.run(users.record(sign_in_of(kBob, "789")));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::conflict);
  CHECK(users.find(kBob).value()->tailscale_user_id == "456");
  CHECK(users.find(kBob).value()->total_authentications == 1);
}

TEST_CASE("of many first sign-ins at once one makes the account and all are counted") {
  Store store;
  SqliteUsers users(store.database());
  Several<Result<User>> tasks(store.loop());
  for (int i = 0; i < 50; ++i) tasks.start(users.record(sign_in_of(kBob, "456")));
  for (const auto& user : tasks.finish()) CHECK(user->user_uuid == kBob);
  CHECK(users.find(kBob).value()->total_authentications == 50);
}

TEST_CASE("hostile texts in every field of a sign-in are kept as they are") {
  for (const std::string& text : hostile_strings()) {
    Store store;
    SqliteUsers users(store.database());
    SignIn sign_in = sign_in_of(text, text);
    sign_in.tailscale_email = sign_in.tailnet = text;
    sign_in.display_name = sign_in.device_id = sign_in.device_hostname = sign_in.cli_version = text;
    for (int time = 1; time <= 2; ++time) {
      const auto user = store.run(users.record(sign_in));
      REQUIRE(user);
      CHECK(user->user_uuid == text);
      CHECK(user->tailscale_user_id == text);
      CHECK(user->tailscale_email == text);
      CHECK(user->tailnet == text);
      CHECK(user->display_name == std::optional<std::string>(text));
      CHECK(user->last_device_id == std::optional<std::string>(text));
      CHECK(user->last_device_hostname == std::optional<std::string>(text));
      CHECK(user->cli_version == std::optional<std::string>(text));
      CHECK(user->total_authentications == time);
    }
    CHECK(store.number("SELECT count(*) FROM users") == 1);
  }
}
