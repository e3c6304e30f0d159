#include "backend/service/session_service.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <vector>

#include "backend/base/text.h"
#include "backend/crypto/token.h"
#include "tests/backend/service/audit.h"
#include "tests/backend/service/store.h"
#include "tests/backend/store/statement_counts.h"

namespace leger {
namespace {

using test::at_socket;
using test::run;
using test::Store;
using test::TemporaryFolder;

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kYear = 365 * 24 * kHour;

User bob() { return {.user_uuid = "bob", .tailscale_user_id = "7", .tailscale_email = "bob@host", .tailnet = "host"}; }

// A daemon's sessions over its database; a new one is a restart.
class Running {
 public:
  explicit Running(const std::string& folder, std::int64_t wall = 0) : store(folder), rows(*store.database) {
    if (wall != 0) store.clock.set_wall(wall);
    vault = store.open_vault().value();
    clock = std::make_unique<SessionClock>(store.loop, rows);
    REQUIRE(clock->load());
    service = std::make_unique<SessionService>(rows, *vault, *clock, audit.log);
  }
  User owner() { return store.user_rows->owner().value().value(); }
  IssuedToken issue(const User& user) {
    auto issued =
        run(store.loop, service->issue(at_socket({}), user, "tailnet:" + user.tailscale_user_id, "laptop", "cli"));
    REQUIRE(issued);
    return std::move(*issued);
  }
  std::string token(const User& user) { return std::string(issue(user).token.reveal()); }
  Result<void> revoke(const std::string& user, const std::string& id) {
    return run(store.loop, service->revoke(at_socket(user), id));
  }
  bool is_good(const std::string& token) { return service->check(token).has_value(); }
  std::string refusal(const std::string& token) {
    const auto checked = service->check(token);
    if (checked) return "good";
    CHECK(checked.error().code == Code::invalid_token);
    CHECK(checked.error().action == "Sign in again: leger auth login");
    return checked.error().message;
  }
  std::int64_t count() {
    Statement statement = store.database->reader().prepare("SELECT count(*) FROM sessions");
    REQUIRE(statement.step().value());
    return statement.integer(0);
  }
  void save() { REQUIRE(run(store.loop, clock->save())); }
  void jump(std::int64_t seconds) { store.clock.set_wall(store.clock.wall_seconds() + seconds); }
  void pass(std::int64_t seconds) { store.clock.advance(static_cast<std::uint64_t>(seconds) * 1000); }

  Store store;
  test::Audit audit{store.loop, *store.database};
  SqliteSessions rows;
  std::unique_ptr<Vault> vault;
  std::unique_ptr<SessionClock> clock;
  std::unique_ptr<SessionService> service;
};

constexpr const char* kEnded = "This token is not valid here: its session has ended.";
constexpr const char* kExpired = "The token has expired.";
constexpr const char* kNotValid = "This token is not valid here.";

}  // namespace

TEST_CASE("A token that was issued says who it is of, and its check says which session it is") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::int64_t start = daemon.store.clock.wall_seconds();
  const IssuedToken issued = daemon.issue(bob());
  CHECK(issued.session.user_uuid == "bob");
  CHECK(issued.session.binding == "tailnet:7");
  CHECK(issued.session.hostname == "laptop");
  CHECK(issued.session.client == "cli");
  CHECK(issued.session.created_at == rfc3339(start));
  CHECK(issued.session.expires_at == rfc3339(start + kSessionSeconds));
  const auto live = daemon.service->check(issued.token.reveal());
  REQUIRE(live);
  CHECK(live->id == issued.session.id);
  CHECK(live->user_uuid == "bob");
  CHECK(live->binding == "tailnet:7");
  CHECK(live->expires_at == start + kSessionSeconds);
  const auto claims =
      read_token(issued.token.reveal(), [&](std::uint32_t id) { return daemon.vault->token_key(id); }, start);
  REQUIRE(claims);
  CHECK(claims->user_uuid == "bob");
  CHECK(claims->tailscale_user_id == "7");
  CHECK(claims->email == "bob@host");
  CHECK(claims->tailnet == "host");
  CHECK(claims->session_id == issued.session.id);
  CHECK(claims->issued_at == start);
  CHECK(daemon.is_good("leg_" + std::string(issued.token.reveal())));
}

TEST_CASE("What is no token of ours is refused, and says how to sign in again") {
  const TemporaryFolder folder;
  const TemporaryFolder other_folder;
  Running daemon(folder.path());
  Running other(other_folder.path());
  const std::string foreign = other.token(bob());
  for (const std::string& token : {std::string(), std::string("x"), std::string("a.b.c"), foreign}) {
    CHECK(daemon.refusal(token) == kNotValid);
  }
}

TEST_CASE("A session that was ended is refused from the next check on, after a restart too, and others are not") {
  const TemporaryFolder folder;
  std::string ended;
  std::string other;
  {
    Running daemon(folder.path());
    const IssuedToken issued = daemon.issue(bob());
    ended = issued.token.reveal();
    other = daemon.token(bob());
    REQUIRE(daemon.is_good(ended));
    const std::uint64_t generation = daemon.service->generation();
    REQUIRE(daemon.revoke("bob", issued.session.id));
    CHECK(daemon.refusal(ended) == kEnded);
    CHECK(daemon.service->generation() != generation);
    CHECK(daemon.is_good(other));
    CHECK(daemon.revoke("bob", issued.session.id).error().code == Code::not_found);
  }
  Running daemon(folder.path());
  CHECK(daemon.refusal(ended) == kEnded);
  CHECK(daemon.is_good(other));
}

TEST_CASE("Nobody ends or lists the session of another user, and the answer is as for an absent one") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const IssuedToken issued = daemon.issue(bob());
  const std::uint64_t generation = daemon.service->generation();
  const auto foreign = daemon.revoke(daemon.store.user, issued.session.id);
  const auto absent = daemon.revoke(daemon.store.user, "no such id");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == Code::not_found);
  CHECK(foreign.error().message == absent.error().message);
  CHECK(foreign.error().action == absent.error().action);
  CHECK(daemon.service->generation() == generation);
  CHECK(daemon.service->check(issued.token.reveal()));
  CHECK(daemon.service->list(daemon.store.user)->empty());
  REQUIRE(daemon.service->list("bob")->size() == 1);
  CHECK(daemon.service->list("bob")->front().id == issued.session.id);
}

TEST_CASE("A token is good for thirty days to the second") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string token = daemon.token(bob());
  daemon.pass(kSessionSeconds - 1);
  CHECK(daemon.is_good(token));
  CHECK(daemon.service->list("bob")->size() == 1);
  daemon.pass(1);
  CHECK(daemon.refusal(token) == kExpired);
  CHECK(daemon.service->list("bob")->empty());
  // Its row goes with the next sign-in of anybody.
  CHECK(daemon.count() == 1);
  daemon.token(daemon.owner());
  CHECK(daemon.count() == 1);
}

TEST_CASE("A session whose row was given to another user, or another end, is not the token's any more") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string token = daemon.token(bob());
  SUBCASE("another user") {
    daemon.store.execute("UPDATE sessions SET user_uuid = (SELECT user_uuid FROM users WHERE is_owner = 1)");
  }
  SUBCASE("an earlier end") { daemon.store.execute("UPDATE sessions SET expires_at = '2026-09-22T00:00:00Z'"); }
  CHECK(daemon.refusal(token) == kEnded);
}

TEST_CASE("Of one more than the most sessions of a user the oldest has ended, and whoever remembers is told") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string of_owner = daemon.token(daemon.owner());
  const std::string first = daemon.token(bob());
  daemon.pass(1);
  const std::string second = daemon.token(bob());
  daemon.pass(1);
  for (std::uint32_t i = 2; i < kMostSessions; ++i) {
    daemon.store.loop.spawn(
        [](SessionService& service) -> Task<void> {
          CHECK(co_await service.issue(at_socket({}), bob(), "tailnet:7", "", "web"));
        }(*daemon.service),
        [](std::exception_ptr problem) { std::rethrow_exception(problem); });
  }
  daemon.store.loop.run_until_idle();
  CHECK(daemon.service->list("bob")->size() == kMostSessions);
  CHECK(daemon.is_good(first));
  const std::uint64_t generation = daemon.service->generation();
  const std::string last = daemon.token(bob());
  CHECK(daemon.refusal(first) == kEnded);
  CHECK(daemon.service->generation() != generation);
  CHECK(daemon.is_good(second));
  CHECK(daemon.is_good(last));
  CHECK(daemon.is_good(of_owner));
  CHECK(daemon.service->list("bob")->size() == kMostSessions);
}

// Two thousand of them; ten thousand with LEGER_SOAK.
TEST_CASE("Thousands of sessions that were issued and ended leave no row, and all are refused") {
  const std::size_t rounds = std::getenv("LEGER_SOAK") == nullptr ? 2 : 10;
  const TemporaryFolder folder;
  Running daemon(folder.path());
  std::vector<std::string> tokens;
  for (std::size_t round = 0; round < rounds; ++round) {
    std::vector<IssuedToken> issued;
    for (std::uint32_t i = 0; i < kMostSessions; ++i) {
      daemon.store.loop.spawn(
          [](SessionService& service, std::vector<IssuedToken>& to) -> Task<void> {
            auto one = co_await service.issue(at_socket({}), bob(), "tailnet:7", "", "web");
            REQUIRE(one);
            to.push_back(std::move(*one));
          }(*daemon.service, issued),
          [](std::exception_ptr problem) { std::rethrow_exception(problem); });
    }
    daemon.store.loop.run_until_idle();
    REQUIRE(daemon.count() == kMostSessions);
    for (const IssuedToken& one : issued) {
      tokens.emplace_back(one.token.reveal());
      REQUIRE(daemon.is_good(tokens.back()));
      daemon.store.loop.spawn(
          [](SessionService& service, std::string id) -> Task<void> {
            CHECK(co_await service.revoke(at_socket("bob"), std::move(id)));
          }(*daemon.service, one.session.id),
          [](std::exception_ptr problem) { std::rethrow_exception(problem); });
    }
    daemon.store.loop.run_until_idle();
  }
  CHECK(daemon.count() == 0);
  CHECK(std::set<std::string>(tokens.begin(), tokens.end()).size() == rounds * kMostSessions);
  CHECK(std::ranges::none_of(tokens, [&](const std::string& token) { return daemon.is_good(token); }));
}

TEST_CASE("A check is one point read, and one of what is no token of ours is none") {
  const test::StatementWatch watch;
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string good = daemon.token(bob());
  const IssuedToken issued = daemon.issue(bob());
  REQUIRE(daemon.revoke("bob", issued.session.id));
  const auto runs_of = [&](std::string_view token) {
    watch.counts();
    static_cast<void>(daemon.service->check(token));
    const test::StatementCounts counts = watch.counts();
    CHECK(counts.full_scan_steps == 0);
    CHECK(counts.sorts == 0);
    return counts.runs;
  };
  CHECK(runs_of(good) == 1);
  CHECK(runs_of(issued.token.reveal()) == 1);
  CHECK(runs_of(good.substr(1)) == 0);
  daemon.pass(kSessionSeconds);
  CHECK(runs_of(good) == 0);
}

TEST_CASE("No jump of the clock makes a token good that has expired, before and after a restart") {
  for (const std::int64_t jump : {-kYear, kYear, -kHour, kHour, -40 * kYear}) {
    CAPTURE(jump);
    const TemporaryFolder folder;
    std::string expired;
    std::string fresh;
    std::int64_t truth = 0;
    {
      Running daemon(folder.path());
      expired = daemon.token(bob());
      daemon.save();
      daemon.pass(kSessionSeconds - 60);
      fresh = daemon.token(daemon.owner());
      daemon.pass(60);
      daemon.save();
      REQUIRE(daemon.refusal(expired) == kExpired);
      daemon.jump(jump);
      CHECK(daemon.refusal(expired) == kExpired);
      daemon.save();
      CHECK(daemon.refusal(expired) == kExpired);
      daemon.jump(-jump);
      CHECK(daemon.refusal(expired) == kExpired);
      CHECK(daemon.is_good(fresh));
      daemon.save();
      truth = daemon.store.clock.wall_seconds();
    }
    Running daemon(folder.path(), truth - std::abs(jump));
    CHECK(daemon.refusal(expired) == kExpired);
    CHECK(daemon.is_good(fresh));
    // It ends thirty days after it was issued, though the wall clock is still behind.
    daemon.pass(kSessionSeconds);
    CHECK(daemon.refusal(fresh) == kExpired);
  }
}

TEST_CASE("A sawtooth of an hour never makes an expired token good") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string token = daemon.token(bob());
  daemon.pass(kSessionSeconds);
  REQUIRE(daemon.refusal(token) == kExpired);
  for (int turn = 0; turn < 100; ++turn) {
    daemon.jump(turn % 4 < 2 ? -kHour : kHour);
    CHECK(daemon.refusal(token) == kExpired);
    if (turn % 3 == 0) daemon.save();
    daemon.pass(7);
  }
}

TEST_CASE("A jump forward ends no session for good") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const std::string token = daemon.token(bob());
  daemon.save();
  daemon.jump(kYear);
  CHECK(daemon.refusal(token) == kExpired);
  daemon.save();
  daemon.jump(-kYear);
  CHECK(daemon.is_good(token));
}

TEST_CASE("An account that cannot be written into a token gets no session") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  User user = bob();
  user.tailscale_email = std::string(5000, 'x');
  CHECK(run(daemon.store.loop, daemon.service->issue(at_socket({}), user, "local", "", "cli")).error().code ==
        Code::internal_error);
  user = bob();
  user.user_uuid = "nobody";
  CHECK(run(daemon.store.loop, daemon.service->issue(at_socket({}), user, "local", "", "cli")).error().code ==
        Code::internal_error);
  CHECK(daemon.count() == 0);
}

TEST_CASE("The begin and the end of a session are on record, of whom and from where") {
  const TemporaryFolder folder;
  Running daemon(folder.path());
  const IssuedToken issued = daemon.issue(bob());
  CHECK_FALSE(daemon.revoke(daemon.store.user, issued.session.id));
  REQUIRE(daemon.revoke("bob", issued.session.id));
  const auto entries = daemon.audit.entries();
  REQUIRE(entries.size() == 2);
  for (const AuditEntry& entry : entries) {
    CHECK(entry.record.actor == "bob");
    CHECK(entry.actor_name == "bob@host");
    CHECK(entry.record.source == "socket");
    CHECK(entry.record.object == issued.session.id);
    CHECK(entry.record.outcome == "ok");
  }
  CHECK(entries.at(1).record.action == "session.begin");
  CHECK(entries.at(0).record.action == "session.end");
}

}  // namespace leger
