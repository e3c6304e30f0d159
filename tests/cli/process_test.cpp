// The real binary as a child process: what only a process has.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "tests/cli/browser_harness.h"
#include "tests/cli/shell_harness.h"

namespace leger {
namespace {

using test::Harness;
using test::MemoryFile;
using test::Ran;
using test::shell;
using test::start_shell;
using test::success;

void script_secret(Harness& harness, const std::string& value) {
  harness.api->reply("POST /api/secrets/set", 201, success(R"({"version":1,"message":"created successfully"})"));
  harness.api->reply("GET /api/secrets/get/key", 200, success(R"({"value":")" + value + "\"}"));
}

TEST_CASE("the binary stores what is piped in and prints it back") {
  Harness harness;
  script_secret(harness, "test123");
  const Ran set = shell(harness, "echo test123 | \"$LEGER\" secrets set key -");
  CHECK(set.err.empty());
  CHECK(set.exit == 0);
  CHECK(set.out.starts_with("✓ Secret created successfully\n"));
  CHECK(harness.api->seen().at(0).body == R"({"name":"key","value":"test123"})");
  const Ran get = shell(harness, "\"$LEGER\" secrets get key");
  CHECK(get.exit == 0);
  CHECK(get.out == "test123");
}

TEST_CASE("a full disk, a closed output and a broken pipe are exit 1 with a message") {
  Harness harness;
  script_secret(harness, std::string(200'000, 'x'));
  const Ran full = shell(harness, "\"$LEGER\" secrets get key >/dev/full");
  CHECK(full.exit == 1);
  CHECK(full.err.starts_with("Standard output cannot be written: No space left on device"));
  const Ran closed = shell(harness, "\"$LEGER\" secrets get key >&-");
  CHECK(closed.exit == 1);
  CHECK(closed.err == "Standard output cannot be written: Bad file descriptor\n");
  const Ran broken = shell(harness, "{ \"$LEGER\" secrets get key; echo \"exit $?\" >&2; } | head -c 1");
  CHECK(broken.err == "Standard output cannot be written: Broken pipe\nexit 1\n");
}

TEST_CASE("a closed standard input is no value") {
  Harness harness;
  const Ran ran = shell(harness, "\"$LEGER\" secrets set key - <&-");
  CHECK(ran.exit == 1);
  CHECK(ran.err.starts_with("Standard input cannot be read: Bad file descriptor."));
  CHECK(harness.api->seen().empty());
}

TEST_CASE("Ctrl-C ends a sign-in that waits for the browser at once, and keeps nothing") {
  const test::BrowserHarness harness;
  const MemoryFile out;
  const pid_t child =
      start_shell(harness,
                  "export HOME='" + harness.folder.path() + "' BROWSER='" + (harness.folder / "browser") +
                      "' LEGER_TAILSCALED_SOCKET=/absent; exec \"$LEGER\" --server " + harness.server.url() + " login",
                  out.get(), out.get());
  const test::OpenedPage page(harness.opened());
  CHECK(page.come_back("state=wrong").contains("result=wrong_state"));  // it waits
  REQUIRE(kill(child, SIGINT) == 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
  CHECK_FALSE(std::filesystem::exists(harness.auth_path));
}

TEST_CASE("the child of config check dies of a broken pipe as it would without leger") {
  Harness harness;
  harness.write_file("legerd", "#!/bin/sh\ntrap - PIPE\nyes | head -n 1\nkill -PIPE $$\necho survived\n");
  REQUIRE(chmod((harness.folder / "legerd").c_str(), 0700) == 0);
  const Ran ran = shell(harness, "PATH=\"$XDG_RUNTIME_DIR:$PATH\" \"$LEGER\" config check");
  CHECK(ran.exit == 1);
  CHECK(ran.out == "y\n");
}

}  // namespace
}  // namespace leger
