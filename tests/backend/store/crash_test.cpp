// kill -9 in the middle of writing: what was answered is there afterwards. The child is this program itself, told by
// its arguments to run the one test case that writes until it is killed.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <sstream>

#include "tests/backend/store/fixture.h"

extern char**
    environ;  // NOLINT(readability-redundant-declaration): posix_spawn wants it, <unistd.h> has it by extension only

using namespace leger;
using namespace leger::test;

namespace {

constexpr const char* kFolderVariable = "LEGER_STORE_CRASH_FOLDER";
constexpr int kWriters = 16;

// A value that tells of which secret and version it is.
SealedValue value_for(int writer, std::uint64_t version) {
  return sealed_value(version * 100 + static_cast<std::uint64_t>(writer));
}

Task<void> write_forever(SqliteSecrets& secrets, int writer) {
  while (true) {
    PutSecret put{.user_uuid = kAlice, .name = "s" + std::to_string(writer), .now = kNow, .if_version = {}, .seal = {}};
    put.seal = [writer](std::uint64_t version) -> Result<SealedValue> { return value_for(writer, version); };
    const auto outcome = co_await secrets.put(std::move(put));
    if (!outcome) co_return;
    const std::string line = "ack " + std::to_string(writer) + " " + std::to_string(outcome->info.version) + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0) co_return;
  }
}

class Child {
 public:
  explicit Child(const std::string& state) {
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    setenv(kFolderVariable, state.c_str(), 1);
    std::string program = "/proc/self/exe";
    std::string filter = "--test-case=child of the kill test*";
    std::string no_skip = "--no-skip";
    const std::array<char*, 4> arguments{program.data(), filter.data(), no_skip.data(), nullptr};
    REQUIRE(posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    unsetenv(kFolderVariable);
    close(ends[1]);
    output_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { close(output_); }

  // Reads until `lines` answers came, kills, and reads what is left in the pipe: the highest version answered, by
  // writer.
  std::map<int, std::uint64_t> kill_after(std::size_t lines) {
    std::string said;
    while (answers(said) < lines && read_some(said)) {
    }
    kill(pid_, SIGKILL);
    while (read_some(said)) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    CHECK(WIFSIGNALED(status));
    return acknowledged(said);
  }

 private:
  bool read_some(std::string& said) const {
    std::array<char, 4096> bytes{};
    const ssize_t got = read(output_, bytes.data(), bytes.size());
    if (got > 0) said.append(bytes.data(), static_cast<std::size_t>(got));
    return got > 0;
  }
  static std::size_t answers(const std::string& said) {
    std::size_t count = 0;
    for (std::size_t at = said.find("ack "); at != std::string::npos; at = said.find("ack ", at + 1)) ++count;
    return count;
  }
  static std::map<int, std::uint64_t> acknowledged(const std::string& said) {
    std::map<int, std::uint64_t> versions;
    std::istringstream lines(said.substr(0, said.rfind('\n') + 1));
    for (std::string word; lines >> word;) {
      int writer = 0;
      std::uint64_t version = 0;
      if (word == "ack" && lines >> writer >> version) versions[writer] = std::max(versions[writer], version);
    }
    return versions;
  }

  pid_t pid_ = 0;
  int output_ = -1;
};

}  // namespace

TEST_CASE("child of the kill test: writes until it is killed" * doctest::skip()) {
  const char* state = std::getenv(kFolderVariable);
  if (state == nullptr) return;
  SystemClock clock;
  Loop loop(clock);
  auto database = Database::open(loop, state).value();
  SqliteSecrets secrets(*database);
  for (int writer = 0; writer < kWriters; ++writer) {
    loop.spawn(write_forever(secrets, writer), [](std::exception_ptr) { std::abort(); });
  }
  loop.run();
}

TEST_CASE("after kill -9 everything that was answered is there, whole, and the next start goes on") {
  Store store;
  store.add_user(kAlice);
  {
    SqliteSecrets secrets(store.database());
    REQUIRE(store.run(secrets.add_wrapped_key(wrapped_key(1))).has_value());
  }
  std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same moments in each run
  for (int round = 0; round < 5; ++round) {
    store.close();
    Child child(store.state());
    const auto answered = child.kill_after(50 + random() % 500);
    REQUIRE_FALSE(answered.empty());
    store.open();
    SqliteSecrets secrets(store.database());
    for (const auto& [writer, version] : answered) {
      const auto secret = secrets.get(kAlice, "s" + std::to_string(writer), std::nullopt);
      REQUIRE(secret.has_value());
      CHECK(secret->info.version >= version);
      CHECK(secret->value.ciphertext == value_for(writer, secret->info.version).ciphertext);
    }
    Statement integrity = store.database().reader().prepare("PRAGMA integrity_check");
    REQUIRE(integrity.step().value());
    CHECK(integrity.text(0) == "ok");
  }
}
