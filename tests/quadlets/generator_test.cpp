#include "quadlets/generator.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/quadlets/archives.h"
#include "tests/support.h"

namespace leger::test {
namespace {

// A shell script in the generator's place.
class Script {
 public:
  explicit Script(const std::string& text) {
    write_file(path(), "#!/bin/sh\n" + text);
    REQUIRE(chmod(path().c_str(), 0700) == 0);
  }
  std::string path() const { return folder_ / "quadlet"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  TemporaryFolder folder_;
};

Result<DryRun> dry_run(const std::string& program, std::vector<std::string> folders,
                       std::uint64_t timeout_ms = 20'000) {
  const SystemClock clock;
  Loop loop(clock);
  Generator generator(loop, program);
  return run(loop, generator.dry_run(std::move(folders), timeout_ms));
}

Error failure(const std::string& script, std::uint64_t timeout_ms = 20'000) {
  const Script program(script);
  const auto result = dry_run(program.path(), {"/a"}, timeout_ms);
  REQUIRE_FALSE(result.has_value());
  CHECK_FALSE(result.error().action.empty());
  return result.error();
}

void check_says(const Error& error, Code code, std::string_view part) {
  CHECK(name_of(error.code) == name_of(code));
  CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
}

TEST_CASE("the output of the generator is read block by block") {
  const DryRun result = parse_dry_run(
      "---hello-data-volume.service---\n[X-Volume]\n\n[Unit]\nSourcePath=/s/hello-data.volume\n\n"
      "---hello.service---\n# comment\n[Unit]\nDescription=a \\\n b\nSourcePath=/s/hello.container\n\n",
      "");
  REQUIRE(result.units.size() == 2);
  CHECK(result.units[0].name == "hello-data-volume.service");
  CHECK(result.units[0].source_path == "/s/hello-data.volume");
  CHECK(result.units[0].text == "[X-Volume]\n\n[Unit]\nSourcePath=/s/hello-data.volume\n");
  CHECK(result.units[1].name == "hello.service");
  CHECK(result.units[1].text == "# comment\n[Unit]\nDescription=a \\\n b\nSourcePath=/s/hello.container\n");
  CHECK(result.problems.empty());
}

TEST_CASE("template and escaped unit names are names") {
  const DryRun result = parse_dry_run("---a@.service---\n[Unit]\n\n---a\\x2db@c:d.service---\n[Unit]\n", "");
  REQUIRE(result.units.size() == 2);
  CHECK(result.units[0].name == "a@.service");
  CHECK(result.units[1].name == "a\\x2db@c:d.service");
}

TEST_CASE("a line inside a unit that looks like a block begins none") {
  const DryRun result = parse_dry_run(
      "---a.service---\n[Service]\nX=1 \\\n---evil.service---\n\n---evil=x.service---\n\n---no "
      "name---\n\n------\n\n---x---\n",
      "");
  REQUIRE(result.units.size() == 1);
  CHECK(result.units[0].text.find("---evil.service---") != std::string::npos);
  CHECK(result.units[0].text.find("---evil=x.service---") != std::string::npos);
}

TEST_CASE("the source path is the generator's own, which stands last") {
  const DryRun result = parse_dry_run(
      "---a.service---\n[X-Container]\nSourcePath=/x\n[Unit]\nSourcePath=/etc/passwd\nSourcePath=/s/a\n", "");
  CHECK(result.units.at(0).source_path == "/s/a");
  CHECK(parse_dry_run("---a.service---\n[Service]\nSourcePath=/x\n", "").units.at(0).source_path.empty());
}

TEST_CASE("output before the first block, or none at all, gives no unit") {
  CHECK(parse_dry_run("", "").units.empty());
  CHECK(parse_dry_run("garbage\n\nmore\n", "").units.empty());
  CHECK(parse_dry_run(std::string_view("\0\xff---\n", 6), "").units.empty());
}

TEST_CASE("problems are the lines about refused units, without the program's name") {
  const DryRun result = parse_dry_run(
      "",
      "quadlet-generator[7]: Loading source unit file /s/a.container\n"
      "quadlet-generator[7]: No files parsed from [/s]\n"
      "quadlet-generator[7]: Warning: a.container specifies the image \"x\" which not a fully qualified image name.\n"
      "quadlet-generator[7]: converting \"a.container\": unsupported key 'Foo'\n"
      "quadlet-generator[7]: error loading \"/s/b.container\", file contains line 2\n"
      "error loading \"/s/c.container\", file contains line 3\n");
  CHECK(result.problems == std::vector<std::string>{
                               "converting \"a.container\": unsupported key 'Foo'",
                               "error loading \"/s/b.container\", file contains line 2",
                               "error loading \"/s/c.container\", file contains line 3",
                           });
}

TEST_CASE("the generator gets fixed arguments, the folders, and an environment with nothing else in it") {
  setenv("LEGER_CANARY", "secret", 1);
  const Script program(
      "printf '%s\\n' \"$*\" >\"${0%/*}/arguments\"\nenv | grep -v '^_=\\|^PWD=' | cut -d= -f1 | sort "
      ">\"${0%/*}/names\"\n"
      "echo \"$QUADLET_UNIT_DIRS\" >\"${0%/*}/folders\"\npwd >\"${0%/*}/pwd\"\nreadlink /proc/self/fd/0 "
      ">\"${0%/*}/stdin\"\n");
  const auto result = dry_run(program.path(), {"/staged", "/live with blank"});
  unsetenv("LEGER_CANARY");
  REQUIRE(result.has_value());
  CHECK(read_file(program / "arguments") == "-dryrun -user\n");
  CHECK(read_file(program / "folders") == "/staged:/live with blank\n");
  CHECK(read_file(program / "pwd") == "/\n");
  CHECK(read_file(program / "stdin") == "/dev/null\n");
  const std::string names = read_file(program / "names");
  CHECK(names.find("LEGER_CANARY") == std::string::npos);
  CHECK(names.find("PATH\n") != std::string::npos);
  CHECK(names.find("QUADLET_UNIT_DIRS\n") != std::string::npos);
}

TEST_CASE("exit 1 with an explanation gives the good units and the problems") {
  const Script program(
      "echo '---good.service---'\necho '[Unit]'\n"
      "echo 'quadlet-generator[1]: converting \"bad.container\": no Image' >&2\nexit 1\n");
  const auto result = dry_run(program.path(), {"/a"});
  REQUIRE(result.has_value());
  CHECK(result->units.at(0).name == "good.service");
  CHECK(result->problems.size() == 1);
}

TEST_CASE("exits that explain nothing are failures") {
  check_says(failure("echo '---a.service---'; echo noise; echo 'last \x1b words' >&2; exit 1"), Code::upstream_failed,
             "status 1: last \\x1b words");
  check_says(failure("exit 2"), Code::upstream_failed, "status 2.");
  check_says(failure("echo 'error loading x' >&2; exit 127"), Code::upstream_failed, "status 127");
  check_says(failure("kill -9 $$"), Code::upstream_failed, "signal 9");
}

TEST_CASE("a generator that hangs is killed at the timeout") {
  const Script program("echo $$ >\"${0%/*}/pid\"\nexec sleep 600\n");
  const auto start = std::chrono::steady_clock::now();
  const auto result = dry_run(program.path(), {"/a"}, 300);
  REQUIRE_FALSE(result.has_value());
  check_says(result.error(), Code::upstream_failed, "longer than 300 ms");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  // The loop has waited for its end: it is no zombie either.
  CHECK(kill(std::stoi(read_file(program / "pid")), 0) == -1);
}

TEST_CASE("a grandchild that holds the output open is not waited for beyond the timeout") {
  const Script program("sleep 3 &\necho '---a.service---'\nexit 0\n");
  check_says(dry_run(program.path(), {"/a"}, 300).error(), Code::upstream_failed, "longer than 300 ms");
}

TEST_CASE("a generator that writes without end is killed") {
  check_says(failure("exec yes quadlet"), Code::upstream_failed, "wrote more than 8388608 bytes");
  check_says(failure("exec yes quadlet >&2"), Code::upstream_failed, "wrote more than 8388608 bytes");
}

TEST_CASE("a large output within the bound is read whole") {
  const Script program("echo '---a.service---'\nhead -c 8000000 /dev/zero | tr '\\0' x\n");
  const auto result = dry_run(program.path(), {"/a"});
  REQUIRE(result.has_value());
  CHECK(result->units.at(0).text.size() == 8'000'001);
}

TEST_CASE("garbage is no unit") {
  const Script program("head -c 100000 /dev/urandom\nprintf '\\n---'\n");
  CHECK(dry_run(program.path(), {"/a"}).has_value());
}

TEST_CASE("an absent generator is unavailable and says what to install; one that cannot run has failed") {
  const Error absent = dry_run("/nowhere/quadlet", {"/a"}).error();
  check_says(absent, Code::unavailable, "/nowhere/quadlet");
  CHECK(absent.action.find("apt-get install podman") != std::string::npos);
  const TemporaryFolder folder;
  write_file(folder / "quadlet", "#!/nowhere/interpreter\n");
  REQUIRE(chmod((folder / "quadlet").c_str(), 0700) == 0);
  check_says(dry_run(folder / "quadlet", {"/a"}).error(), Code::upstream_failed, "cannot be started");
}

TEST_CASE("folders that the generator's list cannot hold are refused") {
  const Script program("exit 0\n");
  for (const char* folder : {"relative", "", "/with:colon"}) {
    check_says(dry_run(program.path(), {"/a", folder}).error(), Code::unavailable, "cannot be handed to Quadlet");
  }
}

TEST_CASE("several runs at once do not mix") {
  const Script one("sleep 0.2; echo '---one.service---'");
  const Script two("echo '---two.service---'");
  const SystemClock clock;
  Loop loop(clock);
  Generator first(loop, one.path());
  Generator second(loop, two.path());
  std::string order;
  struct Note {
    static Task<void> of(Generator& generator, std::string& to) {
      std::vector<std::string> folders(1, "/a");
      const auto result = co_await generator.dry_run(std::move(folders));
      to += result.value().units.at(0).name + " ";
    }
  };
  const auto fails = [](std::exception_ptr) { FAIL("a task threw"); };
  loop.spawn(Note::of(first, order), fails);
  loop.spawn(Note::of(second, order), fails);
  loop.run_until_idle();
  CHECK(order == "two.service one.service ");
}

}  // namespace
}  // namespace leger::test
