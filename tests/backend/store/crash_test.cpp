// kill -9 in the middle of writing: what was answered is there afterwards. The child is crash_writer, which writes
// until it is killed.

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

#include "tests/backend/store/crash_values.h"
#include "tests/backend/store/fixture.h"

extern char**
    environ;  // NOLINT(readability-redundant-declaration): posix_spawn wants it, <unistd.h> has it by extension only

using namespace leger;
using namespace leger::test;

namespace {

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
