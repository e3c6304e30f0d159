// leger run: what it refuses, inside the test; what it becomes, as a process.

#include "cli/run_command.h"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

#include "backend/base/text.h"
#include "tests/cli/shell_harness.h"

namespace leger {
namespace {

using test::failure;
using test::Harness;
using test::Ran;
using test::shell;
using test::success;

void script(Harness& harness, const std::string& name, const std::string& value) {
  harness.api->reply("GET /api/secrets/get/" + percent_encode(name), 200,
                     success(R"({"name":")" + name + R"(","value":")" + value + "\"}"));
}

TEST_CASE("leger run gives a command its secrets, its arguments and its environment") {
  Harness harness;
  script(harness, "KEY", "one\\ntwo $X");
  script(harness, "db-password", "hunter2");
  const Ran ran = shell(harness,
                        "KEPT=kept KEY=old PGPASSWORD=old \"$LEGER\" run --secret KEY --secret=db-password=PGPASSWORD "
                        "-- sh -c 'printf \"%s|\" \"$KEY\" \"$PGPASSWORD\" \"$KEPT\" \"$@\"; cat; exit 7' "
                        "name '' '[a,b]' --json -x -- '{}' \"a b\" </dev/null");
  CHECK(ran.err.empty());
  CHECK(ran.out == "one\ntwo $X|hunter2|kept||[a,b]|--json|-x|--|{}|a b|");
  CHECK(ran.exit == 7);
}

TEST_CASE("each variable is there once") {
  Harness harness;
  script(harness, "KEY", "new");
  CHECK(shell(harness, "KEY=old \"$LEGER\" run --secret KEY -- env | grep -c ^KEY=").out == "1\n");
}

TEST_CASE("the command has the standard input, and nothing else that leger had open") {
  Harness harness;
  script(harness, "KEY", "v");
  CHECK(shell(harness, "echo in | \"$LEGER\" run --secret KEY -- cat").out == "in\n");
  const std::string list = "sh -c 'echo /proc/$$/fd/*' | sed 's|/proc/[0-9]*/fd/||g'";
  CHECK(shell(harness, "\"$LEGER\" run --secret KEY -- " + list).out == shell(harness, list).out);
}

TEST_CASE("the command has the limit of core files and the signals that leger was started with") {
  Harness harness;
  script(harness, "KEY", "v");
  CHECK(shell(harness, "ulimit -S -c 0; \"$LEGER\" run --secret KEY -- sh -c 'ulimit -S -c'").out == "0\n");
  // A sanitizer in leger would take the limit away before leger sees it.
  CHECK(
      shell(harness,
            "export ASAN_OPTIONS=disable_coredump=0; ulimit -S -c \"$(ulimit -H -c)\"; \"$LEGER\" run --secret KEY -- "
            "sh -c 'ulimit -S -c; ulimit -H -c' | uniq | wc -l")
          .out == "1\n");
  CHECK(shell(harness, "\"$LEGER\" run --secret KEY -- sh -c 'kill -PIPE $$; echo survived'").out.empty());
}

TEST_CASE("leger itself may leave no core file") {
  Harness harness;
  harness.write_file("legerd", "#!/bin/sh\nulimit -S -c\n");
  std::filesystem::permissions(harness.folder / "legerd", std::filesystem::perms::owner_all);
  const Ran ran = shell(harness,
                        "PATH=\"$XDG_RUNTIME_DIR:$PATH\"; cp \"$LEGER\" \"$XDG_RUNTIME_DIR/alone\" && "
                        "\"$XDG_RUNTIME_DIR/alone\" config check");
  CHECK(ran.out == "0\n");  // of 1 byte, in blocks
}

TEST_CASE("no word of a secret is in the arguments of the command") {
  Harness harness;
  script(harness, "KEY", "hunter2");
  const Ran ran = shell(harness, "\"$LEGER\" run --secret KEY -- sh -c 'tr \"\\0\" \" \" </proc/$$/cmdline'");
  CHECK(ran.out.starts_with("sh -c "));
  CHECK_FALSE(ran.out.contains("hunter2"));
}

TEST_CASE("a program that is not there is 127, one that cannot be started 126") {
  Harness harness;
  script(harness, "KEY", "hunter2");
  const std::string plain = harness.write_file("plain", "not executable");
  const auto run = [&](const std::string& program) { return harness.run({"run", "--secret", "KEY", "--", program}); };
  Ran ran = run("no-such-program-of-leger");
  CHECK(ran.exit == 127);
  CHECK(ran.err.starts_with("The program \"no-such-program-of-leger\" was not found"));
  CHECK(run("/absent/program").exit == 127);
  CHECK(run("").exit == 127);
  ran = run(plain);
  CHECK(ran.exit == 126);
  CHECK(ran.err.contains("Check that it may be executed:\n  ls -l " + plain));
  CHECK(run("/").exit == 126);
  CHECK_FALSE(ran.err.contains("hunter2"));
  CHECK(harness.run({"--json", "run", "--secret", "KEY", "--", "/absent"})
            .err.starts_with(R"({"error":{"code":"not_found")"));
}

TEST_CASE("a program that cannot be started leaves the signals of leger as they were") {
  Harness harness;
  script(harness, "KEY", "v");
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  CHECK(harness.run({"run", "--secret", "KEY", "--", "/absent"}).exit == 127);
  const bool ignored = std::signal(SIGPIPE, before) == SIG_IGN;
  CHECK(ignored);
}

TEST_CASE("nothing is started before every secret is there") {
  Harness harness;
  script(harness, "KEY", "v");
  harness.api->reply("GET /api/secrets/get/ABSENT", 404, failure(R"("secret_not_found")"));
  const Ran ran = shell(harness, "\"$LEGER\" run --secret KEY --secret ABSENT -- echo started");
  CHECK(ran.exit == 1);
  CHECK(ran.out.empty());
  CHECK(ran.err.starts_with("Secret \"ABSENT\" not found\n"));
}

TEST_CASE("a value that no variable can hold is refused, its name alone is shown") {
  Harness harness;
  script(harness, "NUL", "hunter\\u0000two");
  harness.api->reply("GET /api/secrets/get/LONG", 200, success(R"({"value":")" + std::string(300'000, 'x') + "\"}"));
  for (const std::string name : {"NUL", "LONG"}) {
    const Ran ran = harness.run({"run", "--secret", name, "--", "/absent"});
    CHECK(ran.exit == 1);
    CHECK(ran.err.starts_with("Secret \"" + name + "\" "));
    CHECK(ran.err.contains("leger secrets get " + name + " > FILE"));
    CHECK_FALSE(ran.err.contains("hunter"));
  }
}

TEST_CASE("a command line of leger run that cannot be meant is exit 2 and asks for no secret") {
  struct Line {
    std::vector<std::string> arguments;
    std::string message;
  };
  const std::string needed = "leger run takes at least one --secret, and a command after --.";
  const std::string behind = "leger run takes a command only behind --, and of its own --secret.";
  const std::vector<Line> lines{
      {{"run"}, needed},
      {{"run", "--", "env"}, needed},
      {{"run", "--secret", "KEY"}, needed},
      {{"run", "--secret", "KEY", "--"}, needed},
      {{"run", "--secret", "KEY", "env"}, behind},
      {{"run", "--secret", "KEY", "-x", "--", "env"}, behind},
      {{"run", "--secret", "db-password", "--", "env"}, "\"db-password\" is no name for a variable."},
      {{"run", "--secret", "KEY=", "--", "env"}, "\"\" is no name for a variable."},
      {{"run", "--secret", "KEY=1A", "--", "env"}, "\"1A\" is no name for a variable."},
      {{"run", "--secret", "KEY=A=B", "--", "env"}, "\"A=B\" is no name for a variable."},
      {{"run", "--secret", "=A", "--", "env"}, "\"\" is no name for a secret."},
      {{"run", "--secret", "A/B=A", "--", "env"}, "\"A/B\" is no name for a secret."},
      {{"run", "--secret", "KEY", "--secret", "OTHER=KEY", "--", "env"}, "Two secrets are to be the variable \"KEY\"."},
  };
  Harness harness;
  for (const Line& line : lines) {
    CAPTURE(line.message);
    const Ran ran = harness.run(line.arguments);
    CHECK(ran.exit == 2);
    CHECK(ran.out.empty());
    CHECK(ran.err.starts_with(line.message));
  }
  CHECK(harness.api->seen().empty());
}

TEST_CASE("global flags of leger run stand anywhere before --, and its help asks nobody") {
  Harness harness;
  script(harness, "KEY", "v");
  const std::string socket = harness.folder / "leger/legerd.sock";
  harness.io.environment.erase("XDG_RUNTIME_DIR");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"--socket", socket, "run", "--secret", "KEY", "--", "/absent"},
                                             {"--socket=" + socket, "run", "--secret", "KEY", "--", "/absent"},
                                             {"run", "--socket", socket, "--secret", "KEY", "--", "/absent"},
                                             {"run", "--secret", "KEY", "--socket", socket, "--", "/absent"}}) {
    CHECK(harness.run(arguments).exit == 127);
  }
  CHECK(harness.run({"run", "--help", "--", "env"}).exit == 0);
}

TEST_CASE("-- of another command is not that of leger run") {
  Harness harness;
  script(harness, "run", "v");
  CHECK(harness.run({"secrets", "get", "--", "run"}).out == "v");
}

}  // namespace
}  // namespace leger
