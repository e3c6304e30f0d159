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
