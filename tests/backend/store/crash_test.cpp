// kill -9 in the middle of writing: what was answered is there afterwards. The child is crash_writer, which writes
// until it is killed.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <set>
#include <sstream>
#include <tuple>

#include "tests/backend/store/crash_values.h"
#include "tests/backend/store/fixture.h"

extern char**
    environ;  // NOLINT(readability-redundant-declaration): posix_spawn wants it, <unistd.h> has it by extension only

using namespace leger;
using namespace leger::test;

namespace {

// `ack` for a value or `read` for a read of it; the writer; the version.
using Answer = std::tuple<std::string, int, std::uint64_t>;

class Child {
 public:
  explicit Child(const std::string& state) {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = CRASH_WRITER;
    std::string folder = state;
    const std::array<char*, 3> arguments{program.data(), folder.data(), nullptr};
    REQUIRE(posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { close(output_); }

  // Reads until `lines` answers came, kills, and reads what is left in the pipe: all that was answered.
  std::set<Answer> kill_after(std::size_t lines) {
    std::string said;
    while (answers(said) < lines && read_some(said)) {
    }
    kill(pid_, SIGKILL);
    while (read_some(said)) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    CHECK(WIFSIGNALED(status));
    return answered(said);
  }

 private:
  bool read_some(std::string& said) const {
    std::array<char, 4096> bytes{};
    const ssize_t got = read(output_, bytes.data(), bytes.size());
    if (got > 0) said.append(bytes.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  static std::size_t answers(const std::string& said) {
    return static_cast<std::size_t>(std::ranges::count(said, '\n'));
  }
  static std::set<Answer> answered(const std::string& said) {
    std::set<Answer> all;
    std::istringstream lines(said.substr(0, said.rfind('\n') + 1));
    Answer answer;
    while (lines >> std::get<0>(answer) >> std::get<1>(answer) >> std::get<2>(answer)) all.insert(answer);
    return all;
  }

  pid_t pid_ = 0;
  int output_ = -1;
};

// The value is there, or a newer one; and so is the record of what was answered.
void check_answer(Store& store, const Answer& answer) {
  const auto& [what, writer, version] = answer;
  const std::string name = "s" + std::to_string(writer);
  const auto secret = SqliteSecrets(store.database()).get(kAlice, name, std::nullopt);
  REQUIRE(secret.has_value());
  CHECK(secret->info.version >= version);
  CHECK(secret->value.ciphertext == value_for(writer, secret->info.version).ciphertext);
  Statement records = store.database().reader().prepare(
      "SELECT count(*) FROM audit WHERE action = ?1 AND object = ?2 AND version = ?3");
  records.bind(1, what == "read" ? "secret.read" : "secret.set").bind(2, name);
  records.bind(3, static_cast<std::int64_t>(version));
  REQUIRE(records.step().value());
  CHECK(records.integer(0) == 1);
}

}  // namespace

TEST_CASE("after kill -9 everything that was answered is there, whole and on record, and the next start goes on") {
  Store store;
  store.add_user(kAlice);
  store.add_key(1);
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same moments in each run
  for (int round = 0; round < 5; ++round) {
    store.close();
    Child child(store.state());
    const auto answered = child.kill_after(50 + random() % 500);
    REQUIRE_FALSE(answered.empty());
    store.open();
    REQUIRE(store.execute("CREATE INDEX IF NOT EXISTS by_object ON audit(object, version)").has_value());
    AuditStore audit(store.database());
    REQUIRE(store.run(audit.fold()).has_value());
    for (const Answer& answer : answered) check_answer(store, answer);
    CHECK(store.verify().first_bad == std::nullopt);
    // No value without its record, whether it was answered or not.
    CHECK(store.number("SELECT count(*) FROM audit WHERE action = 'secret.set'") ==
          store.number(
              "SELECT sum(latest) FROM (SELECT max(version) AS latest FROM secret_versions GROUP BY secret_id)"));
    Statement integrity = store.database().reader().prepare("PRAGMA integrity_check");
    REQUIRE(integrity.step().value());
    CHECK(integrity.text(0) == "ok");
  }
}
