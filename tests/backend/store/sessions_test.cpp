#include "backend/store/sessions.h"

#include <algorithm>
#include <memory>

#include "backend/base/clock.h"
#include "tests/backend/store/fixture.h"
#include "tests/backend/store/statement_counts.h"

using namespace leger;
using namespace leger::test;

namespace {

constexpr std::int64_t kStart = 1'790'000'000;
constexpr std::int64_t kMonth = 30LL * 24 * 3600;

// Made `at` seconds after the start.
Session session_of(const std::string& user, const std::string& id, std::int64_t at = 0) {
  return {.id = id,
          .user_uuid = user,
          .binding = "tailnet:7",
          .hostname = "laptop",
          .client = "cli",
          .created_at = rfc3339(kStart + at),
          .expires_at = rfc3339(kStart + at + kMonth)};
}

class SessionStore : public Store {
 public:
  SessionStore() {
    add_user(kAlice);
    add_user(kBob);
  }
  SqliteSessions sessions() { return SqliteSessions(database()); }
  Result<void> add(const Session& session, std::uint32_t most = 1000) {
    SqliteSessions rows = sessions();
    return run(rows.add(session, most, audit_record("sign_in", session.id)));
  }
  bool remove(const std::string& user, const std::string& id) {
    SqliteSessions rows = sessions();
    return run(rows.remove(user, id, audit_record("sign_out", id))).value();
  }
  std::vector<std::string> ids(const std::string& user, std::int64_t at = 0) {
    std::vector<std::string> found;
    const auto listed = sessions().list(user, rfc3339(kStart + at)).value();
    found.reserve(listed.size());
    for (const Session& session : listed) found.push_back(session.id);
    return found;
  }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a session is kept whole, and still there when the database opens again") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "one")));
  store.close();
  store.open();
  const auto found = store.sessions().find("one").value();
  REQUIRE(found);
  CHECK(found->id == "one");
  CHECK(found->user_uuid == kAlice);
  CHECK(found->binding == "tailnet:7");
  CHECK(found->hostname == "laptop");
  CHECK(found->client == "cli");
  CHECK(found->created_at == rfc3339(kStart));
  CHECK(found->expires_at == rfc3339(kStart + kMonth));
  CHECK_FALSE(store.sessions().find("two").value());
}

TEST_CASE("a session that was removed is gone, and stays so when the database opens again") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "one")));
  REQUIRE(store.add(session_of(kAlice, "two")));
  CHECK(store.remove(kAlice, "one"));
  CHECK_FALSE(store.remove(kAlice, "one"));
  store.close();
  store.open();
  CHECK_FALSE(store.sessions().find("one").value());
  CHECK(store.sessions().find("two").value());
}

TEST_CASE("nobody removes or lists the sessions of another user") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "one")));
  CHECK_FALSE(store.remove(kBob, "one"));
  CHECK_FALSE(store.remove("", "one"));
  CHECK(store.ids(kBob).empty());
  CHECK(store.ids(kAlice) == Ids{"one"});
}

TEST_CASE("sessions are listed newest first, those of one second by their order, without expired ones") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "late", 10)));
  REQUIRE(store.add(session_of(kAlice, "early", 1)));
  REQUIRE(store.add(session_of(kAlice, "z first of a second", 5)));
  REQUIRE(store.add(session_of(kAlice, "a second of a second", 5)));
  CHECK(store.ids(kAlice) == Ids{"late", "a second of a second", "z first of a second", "early"});
  CHECK(store.ids(kAlice, kMonth) == Ids{"late", "a second of a second", "z first of a second", "early"});
  CHECK(store.ids(kAlice, kMonth + 1) == Ids{"late", "a second of a second", "z first of a second"});
  CHECK(store.ids(kAlice, kMonth + 10).empty());
}

TEST_CASE("adding one drops the expired ones of everybody") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "first")));
  REQUIRE(store.add(session_of(kAlice, "second", 1)));
  REQUIRE(store.add(session_of(kBob, "bob", kMonth - 1)));
  CHECK(store.number("SELECT count(*) FROM sessions") == 3);
  REQUIRE(store.add(session_of(kBob, "bob again", kMonth)));  // the second in which the first one ends
  CHECK_FALSE(store.sessions().find("first").value());
  CHECK(store.sessions().find("second").value());
  CHECK(store.number("SELECT count(*) FROM sessions") == 3);
}

TEST_CASE("one more than the most drops the user's oldest, and nobody else's") {
  SessionStore store;
  REQUIRE(store.add(session_of(kBob, "bob"), 3));
  for (int i = 0; i < 5; ++i) REQUIRE(store.add(session_of(kAlice, std::to_string(i), 10 + i), 3));
  CHECK(store.ids(kAlice) == Ids{"4", "3", "2"});
  CHECK(store.ids(kBob) == Ids{"bob"});
  // A clock that was set back does not make the new one the oldest.
  REQUIRE(store.add(session_of(kAlice, "new", 1), 3));
  CHECK(store.ids(kAlice) == Ids{"4", "3", "new"});
  REQUIRE(store.add(session_of(kAlice, "only", 2), 1));
  CHECK(store.ids(kAlice) == Ids{"only"});
  REQUIRE(store.add(session_of(kAlice, "even of none", 3), 0));
  CHECK(store.ids(kAlice) == Ids{"even of none"});
}

TEST_CASE("a session of nobody, or of an id that is taken, is refused and changes nothing") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "old")));
  CHECK(store.add(session_of("nobody", "one", kMonth)).error().code == Code::internal_error);
  CHECK(store.add(session_of(kBob, "old", 1)).error().code == Code::internal_error);
  CHECK(store.sessions().find("old").value()->user_uuid == kAlice);
  CHECK(store.number("SELECT count(*) FROM sessions") == 1);
}

TEST_CASE("an account that goes takes its sessions along") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "one")));
  REQUIRE(store.add(session_of(kBob, "two")));
  REQUIRE(store.execute("DELETE FROM users WHERE user_uuid = '550e8400-e29b-41d4-a716-446655440000'"));
  CHECK_FALSE(store.sessions().find("one").value());
  CHECK(store.sessions().find("two").value());
}

TEST_CASE("hostile texts in every field of a session are kept as they are") {
  for (const std::string& text : hostile_strings()) {
    SessionStore store;
    Session session = session_of(kAlice, text);
    session.binding = session.hostname = session.client = text;
    REQUIRE(store.add(session));
    const auto found = store.sessions().find(text).value();
    REQUIRE(found);
    CHECK(found->id == text);
    CHECK(found->binding == text);
    CHECK(found->hostname == text);
    CHECK(found->client == text);
    CHECK_FALSE(store.remove(text, text));
    CHECK(store.ids(text).empty());
    CHECK(store.remove(kAlice, text));
    CHECK(store.number("SELECT count(*) FROM sessions") == 0);
  }
}

TEST_CASE("finding one of ten thousand sessions is one point read, as finding one of two is") {
  const StatementWatch watch;
  SessionStore store;
  SqliteSessions sessions = store.sessions();
  REQUIRE(store.add(session_of(kBob, "bob 0")));
  REQUIRE(store.add(session_of(kAlice, "alice 0")));
  const auto cost_of_one = [&] {
    watch.counts();
    REQUIRE(sessions.find("alice 0").value());
    return watch.counts();
  };
  const StatementCounts of_two = cost_of_one();
  for (int user = 0; user < 10; ++user) {
    store.add_user("user " + std::to_string(user));
    Several<Result<void>> tasks(store.loop());
    for (int i = 0; i < 1000; ++i) {
      const std::string id = std::to_string(user) + " " + std::to_string(i);
      tasks.start(sessions.add(session_of("user " + std::to_string(user), id, i), 1000, audit_record("sign_in", id)));
    }
    CHECK(std::ranges::all_of(tasks.finish(), [](const Result<void>& result) { return result.has_value(); }));
  }
  REQUIRE(store.number("SELECT count(*) FROM sessions") == 10'002);
  const StatementCounts of_many = cost_of_one();
  CHECK(of_many.runs == 1);
  CHECK(of_many.full_scan_steps == 0);
  CHECK(of_many.automatic_indices == 0);
  CHECK(of_many.machine_steps == of_two.machine_steps);
  // Listing sorts nothing: the index has them in this order.
  watch.counts();
  CHECK(store.ids("user 3").size() == 1000);
  const StatementCounts of_list = watch.counts();
  CHECK(of_list.runs == 1);
  CHECK(of_list.sorts == 0);
  CHECK(of_list.full_scan_steps == 0);
}

TEST_CASE("dropping looks at no session of others that is still good") {
  SessionStore store;
  for (const char* sql : {"EXPLAIN QUERY PLAN DELETE FROM sessions WHERE expires_at <= ?1",
                          "EXPLAIN QUERY PLAN SELECT rowid FROM sessions WHERE user_uuid = ?1 AND session_id <> ?2"
                          " ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?3"}) {
    Statement statement = store.database().reader().prepare(sql);
    REQUIRE(statement.step().value());
    INFO(statement.text(3));
    CHECK(statement.text(3).starts_with("SEARCH sessions USING"));
    CHECK_FALSE(statement.step().value());  // no second step: nothing is sorted
  }
}

TEST_CASE("the time mark begins at 0, is kept, and never goes back") {
  SessionStore store;
  CHECK(store.sessions().time_mark().value() == 0);
  for (const auto& [set, kept] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{5, 5}, {kStart, kStart}, {7, kStart}}) {
    SqliteSessions sessions = store.sessions();
    REQUIRE(store.run(sessions.set_time_mark(set)));
    CHECK(sessions.time_mark().value() == kept);
  }
  store.close();
  store.open();
  CHECK(store.sessions().time_mark().value() == kStart);
  CHECK(store.number("SELECT count(*) FROM time_mark") == 1);
}

TEST_CASE("signing in and out has its record, and what did not happen has none") {
  SessionStore store;
  REQUIRE(store.add(session_of(kAlice, "one")));
  CHECK_FALSE(store.add(session_of(kAlice, "one")));
  CHECK_FALSE(store.remove(kBob, "one"));
  CHECK(store.remove(kAlice, "one"));
  CHECK_FALSE(store.remove(kAlice, "one"));
  CHECK(store.audit() == "sign_in one \nsign_out one \n");
  CHECK(store.verify().first_bad == std::nullopt);
}

TEST_CASE("a session whose record cannot be written neither begins nor ends") {
  SessionStore store;
  SqliteSessions sessions = store.sessions();
  AuditRecord odd = audit_record("sign_in", "two");
  odd.count = 0;
  CHECK_FALSE(store.run(sessions.add(session_of(kAlice, "two"), 10, odd)).has_value());
  CHECK_FALSE(sessions.find("two").value());
  REQUIRE(store.add(session_of(kAlice, "one")));
  CHECK_FALSE(store.run(sessions.remove(kAlice, "one", odd)).has_value());
  CHECK(sessions.find("one").value());
}
