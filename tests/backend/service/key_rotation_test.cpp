#include "backend/service/key_rotation.h"

#include <doctest/doctest.h>

#include <format>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/backend/service/rotating.h"

namespace leger {
namespace {

using test::at_socket;
using test::Rotating;
using test::TemporaryFolder;

// What the clients know of the values.
struct Known {
  std::map<std::string, std::string> settled;
  std::map<std::string, std::string> under_way;  // written, but the answer is not there yet
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::vector<std::string> wrong;
  bool ended = false;
};

std::string some_name(std::mt19937& random, const Known& known) {
  return "s" + std::to_string(random() % known.settled.size());
}

Task<void> read_on(SecretService& secrets, Actor actor, Known& known, std::uint32_t seed) {
  std::mt19937 random(seed);
  while (!known.ended) {
    const std::string name = some_name(random, known);
    const std::string settled = known.settled[name];
    const std::string under_way = known.under_way[name];  // is as right: it may be in the store already
    const auto got = co_await secrets.read(actor, name, std::nullopt);
    ++known.reads;
    const std::string value = got ? std::string(got->value.reveal()) : got.error().message;
    if (value != settled && (under_way.empty() || value != under_way))
      known.wrong.push_back(std::format("{}: {}", name, value));
  }
}

Task<void> write_on(SecretService& secrets, Actor actor, Known& known, std::uint32_t seed) {
  std::mt19937 random(seed);
  while (!known.ended) {
    const std::string name = some_name(random, known);
    if (!known.under_way[name].empty()) continue;  // another client is at it
    known.under_way[name] = "written " + std::to_string(++known.writes);
    const auto put = co_await secrets.set(actor, name, Secret(known.under_way[name]), std::nullopt);
    if (!put) known.wrong.push_back(std::format("{}: {}", name, put.error().message));
    known.settled[name] = std::exchange(known.under_way[name], {});
  }
}

// Refuses any change of a stored version until it is dropped.
constexpr const char* kBlock =
    "CREATE TRIGGER block BEFORE UPDATE ON secret_versions BEGIN SELECT RAISE(ABORT, 'blocked'); END";

}  // namespace

TEST_CASE("A new data key seals from now on, and the older one goes when nothing needs it any more") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.start();
  it.set("a", "old");
  const auto key_id = it.rotate();
  REQUIRE(key_id);
  CHECK(*key_id == 3);  // 1 was the first of secrets, 2 that of tokens
  it.until_done();
  it.set("b", "new");
  CHECK(it.store.stored("a").value.key_id == 3);
  CHECK(it.store.stored("b").value.key_id == 3);
  CHECK(it.get("a") == "old");
  CHECK(it.get("b") == "new");
  CHECK(it.store.number("SELECT count(*) FROM data_keys WHERE purpose = 'secrets'") == 1);
  CHECK(it.store.number("SELECT seals FROM data_keys WHERE key_id = 3") == 2);
  CHECK(it.vault->token_key_id() == 2);
  const auto begun = it.audit.entries("key.rotate_data");
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].record.object == "3");
  CHECK(begun[0].record.actor == it.store.user);
  CHECK(begun[0].record.request_id == "request-1");
  const auto dropped = it.audit.entries("key.drop_older");
  REQUIRE(dropped.size() == 1);
  CHECK(dropped[0].record.object == "3");
  CHECK(dropped[0].record.source == "legerd");
}

TEST_CASE("All versions are sealed anew, and keep their numbers, times and values") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.start();
  for (int i = 1; i <= 5; ++i) it.set("a", "version " + std::to_string(i));
  const StoredSecret before = it.store.stored("a");
  REQUIRE(it.rotate());
  it.until_done();
  CHECK(it.store.stored("a").info.updated_at == before.info.updated_at);
  for (std::uint64_t version = 1; version <= 5; ++version) {
    const auto row = it.store.secret_rows->get(it.store.user, "a", version);
    REQUIRE(row);
    CHECK(row->value.key_id == 3);
    CHECK(it.vault->open(it.store.user, *row)->reveal() == "version " + std::to_string(version));
  }
}

TEST_CASE("While older values are sealed anew another rotation is a conflict, afterwards it is not") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.set_many(150);
  REQUIRE(it.rotate());  // nothing seals anew yet
  const auto refused = it.rotate();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  CHECK(it.vault->data_key_ids() == std::vector<std::uint32_t>{1, 3});
  it.start();
  it.until_done();
  CHECK(it.rotate() == 4);
  it.until_done();
  CHECK(it.rows_of_key(4) == 150);
  CHECK(it.wrong_of(150) == 0);
}

TEST_CASE("2000 rows are sealed anew beside clients that read and write: no answer is wrong, no row is left") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.start();
  constexpr int kRows = 2000;
  it.set_many(kRows);
  Known known;
  for (int i = 0; i < kRows; ++i) known.settled["s" + std::to_string(i)] = "v" + std::to_string(i);
  const auto rethrow = [](std::exception_ptr problem) { std::rethrow_exception(problem); };
  for (std::uint32_t seed = 0; seed < 3; ++seed) {
    it.store.loop.spawn(read_on(it.secrets, at_socket(it.store.user), known, seed), rethrow);
    it.store.loop.spawn(write_on(it.secrets, at_socket(it.store.user), known, 100 + seed), rethrow);
  }
  const std::uint64_t writes_before = known.writes;
  REQUIRE(it.rotate());
  it.until_done();
  CHECK(known.writes > writes_before + 10);  // they were not kept waiting for all of it
  CHECK(known.reads > 10);
  known.ended = true;
  it.until([&] { return it.store.loop.live_tasks() == 1; });  // the rotation's own
  CHECK(known.wrong == std::vector<std::string>{});
  CHECK(it.rows_of_key(1) == 0);
  CHECK(it.store.number("SELECT count(*) FROM data_keys WHERE purpose = 'secrets'") == 1);
  for (const auto& [name, value] : known.settled) REQUIRE(it.get(name) == value);
  CHECK(it.run(it.audit.log.verify())->first_bad == std::nullopt);
}

TEST_CASE("A rotation that was interrupted anywhere goes on at the next start, and finishes by itself") {
  constexpr int kRows = 450;
  for (const std::int64_t sealed : {0, 1, 100, 300, kRows}) {
    CAPTURE(sealed);
    const TemporaryFolder folder;
    {
      Rotating it(folder.path());
      it.set_many(kRows);
      REQUIRE(it.rotate());
      if (sealed == kRows) {  // all but the end
        const auto reseal = [&](const std::string& user, const StoredSecret& row) {
          return it.vault->reseal(user, row);
        };
        REQUIRE(it.run(it.store.key_rows->reseal(3, {}, kRows + 1, reseal))->sealed == kRows);
      } else if (sealed > 0) {
        it.start();
        it.until([&] { return it.rows_of_key(3) >= sealed; });
      }
    }
    Rotating it(folder.path());
    CHECK(it.vault->data_key_ids() == std::vector<std::uint32_t>{1, 3});
    CHECK(it.wrong_of(kRows) == 0);
    it.start();
    it.until_done();
    CHECK(it.rows_of_key(3) == kRows);
    CHECK(it.wrong_of(kRows) == 0);
    CHECK(it.store.number("SELECT seals FROM data_keys WHERE key_id = 3") == kRows);
  }
}

TEST_CASE("A key that has sealed as often as it may is followed by a new one, and all values are readable") {
  const TemporaryFolder folder;
  Rotating it(folder.path(), 100);
  it.start();
  int number = 0;
  const auto set_next = [&] {
    it.set("s" + std::to_string(number % 30), "v" + std::to_string(number));
    ++number;
  };
  for (int i = 0; i < 99; ++i) set_next();
  CHECK(it.vault->data_key_ids() == std::vector<std::uint32_t>{1});
  CHECK(it.audit.count("key.rotate_data") == 0);
  set_next();
  it.until([&] { return it.vault->data_key_ids() == std::vector<std::uint32_t>{3}; });
  const auto begun = it.audit.entries("key.rotate_data");
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].record.source == "legerd");
  CHECK(begun[0].record.actor.empty());
  for (int i = number - 30; i < number; ++i) CHECK(it.get("s" + std::to_string(i % 30)) == "v" + std::to_string(i));
}

TEST_CASE("What late writes tell of the key before begins no second rotation") {
  const TemporaryFolder folder;
  Rotating it(folder.path(), 100);
  it.set("a", "value");
  REQUIRE(it.rotate());
  it.rotation.note_seals(100);
  it.start();
  it.until_done();
  it.set("a", "next");
  CHECK(it.vault->data_key_ids() == std::vector<std::uint32_t>{3});
}

TEST_CASE("A store that cannot be written makes the rotation wait, longer each time, and then go on") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.set_many(250);
  it.store.execute(kBlock);
  it.start();
  REQUIRE(it.rotate());
  const auto after = [&](std::uint64_t milliseconds) {
    it.store.clock.advance(milliseconds);
    it.store.loop.timers().run_due();
    for (int turn = 0; turn < 20; ++turn) {  // a try takes a turn through the writer
      REQUIRE(it.run(it.store.database->check()));
    }
    return it.rows_of_key(3);
  };
  CHECK(after(0) == 0);
  CHECK(after(1000) == 0);
  it.execute("DROP TRIGGER block");
  CHECK(after(1999) == 0);
  CHECK(after(1) > 0);
  it.until_done();
  CHECK(it.wrong_of(250) == 0);
}

TEST_CASE("A row that does not open stays as it is, with its key, and holds no rotation") {
  const TemporaryFolder folder;
  StoredSecret before;
  {
    Rotating it(folder.path());
    it.set_many(250);
    it.store.execute(
        "UPDATE secret_versions SET tag = zeroblob(16) WHERE secret_id IN"
        " (SELECT secret_id FROM secrets WHERE name IN ('s7', 's200'))");
    before = it.store.stored("s7");
    it.start();
    REQUIRE(it.rotate());
    it.until([&] { return it.rows_of_key(1) == 2; });
    REQUIRE(it.run(it.store.database->check()));
    it.until([&] { return it.rotate() == 4; });
    it.until([&] { return it.vault->data_key_ids() == std::vector<std::uint32_t>{1, 4}; });
    CHECK(it.rows_of_key(4) == 248);
    CHECK(it.wrong_of(250) == 2);
  }
  Rotating it(folder.path());
  it.start();
  it.until([&] { return it.rotate() == 5; });
  const StoredSecret after = it.store.stored("s7");
  CHECK(after.value.key_id == 1);
  CHECK(after.value.nonce == before.value.nonce);
  CHECK(after.value.ciphertext == before.value.ciphertext);
  it.set("s7", "v7");
  it.set("s200", "v200");
  CHECK(it.wrong_of(250) == 0);
}

TEST_CASE("What older keys sealed is in no file when the rotation is over") {
  const TemporaryFolder folder;
  Rotating it(folder.path());
  it.start();
  it.set("a", std::string(100, 'x'));
  const std::string old = it.store.stored("a").value.ciphertext;
  const std::string wrapped = it.store.key_rows->wrapped_keys()->front().ciphertext;
  const auto is_in_files = [&](const std::string& bytes) {
    return test::read_file(it.store.state_dir() + "/leger.db").contains(bytes) ||
           test::read_file(it.store.state_dir() + "/leger.db-wal").contains(bytes);
  };
  REQUIRE(is_in_files(old));
  REQUIRE(is_in_files(wrapped));
  REQUIRE(it.rotate());
  it.until_done();
  CHECK_FALSE(is_in_files(old));
  CHECK_FALSE(is_in_files(wrapped));
  CHECK(is_in_files(it.store.stored("a").value.ciphertext));
}

}  // namespace leger
