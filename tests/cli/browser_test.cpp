#include "cli/browser.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "tests/cli/browser_harness.h"

namespace leger {
namespace {

using Words = std::vector<std::string>;

std::string program(const test::Harness& harness, const std::string& name, const std::string& script) {
  const std::string path = harness.write_file(name, "#!/bin/sh\n" + script);
  REQUIRE(chmod(path.c_str(), 0700) == 0);
  return path;
}

TEST_CASE("the browser is the words of BROWSER, else xdg-open where there is a display") {
  test::Harness harness;
  const std::string mine = program(harness, "mine", "");
  const std::string xdg_open = program(harness, "xdg-open", "");
  harness.io.environment["PATH"] = "relative:" + harness.folder.path();
  CHECK(find_browser(harness.io) == std::nullopt);
  harness.io.environment["DISPLAY"] = ":0";
  CHECK(find_browser(harness.io) == Words{xdg_open});
  harness.io.environment.erase("DISPLAY");
  harness.io.environment["WAYLAND_DISPLAY"] = "wayland-0";
  CHECK(find_browser(harness.io) == Words{xdg_open});
  harness.io.environment["BROWSER"] = "  mine  --new-window ";
  CHECK(find_browser(harness.io) == Words{mine, "--new-window"});
  harness.io.environment["BROWSER"] = "absent";
  CHECK(find_browser(harness.io) == std::nullopt);
  harness.io.environment["BROWSER"] = "   ";
  CHECK(find_browser(harness.io) == std::nullopt);
  harness.io.environment["BROWSER"] = harness.write_file("no-program", "");
  CHECK(find_browser(harness.io) == std::nullopt);
}

TEST_CASE("the address is one argument that no shell reads, and takes the place of %s") {
  test::BrowserHarness harness;
  const std::string script = harness.folder / "browser";
  const std::string address = "http://h/?a='b c'&$(id)`;|%20#x";
  CHECK(open_browser(harness.io, {script}, address).has_value());
  CHECK(harness.opened() == address);
  CHECK(open_browser(harness.io, {script, "%s", "--after"}, address).has_value());
  CHECK(harness.opened() == address);
  CHECK(harness.opened() == "--after");
}

TEST_CASE("what the browser prints is thrown away, and it reads nothing of ours") {
  test::BrowserHarness harness;
  const std::string noisy =
      program(harness, "noisy", "cat; echo noise; echo noise >&2; " + (harness.folder / "browser") + " end");
  harness.io.environment["PATH"] = "/usr/bin:/bin";
  harness.io.environment["BROWSER"] = noisy;
  harness.write_sign_ins({harness.server.url()});
  const test::Ran ran = harness.run_there({"open"}, "input");
  CHECK(harness.opened() == "end");
  CHECK_FALSE((ran.out + ran.err).contains("noise"));
}

TEST_CASE("a browser that goes on running is not waited for") {
  test::BrowserHarness harness;
  harness.io.patience.browser_ms = 20;
  // Runs until the test lets it go.
  REQUIRE(mkfifo((harness.folder / "gate").c_str(), 0600) == 0);
  const std::string lasting = program(harness, "lasting", "read -r _ < " + (harness.folder / "gate"));
  CHECK(open_browser(harness.io, {lasting}, "http://h/").has_value());
  const test::Descriptor gate(open((harness.folder / "gate").c_str(), O_WRONLY | O_CLOEXEC));
  CHECK(write(gate.get(), "\n", 1) == 1);
}

TEST_CASE("a browser that fails at once, or is no program, did not start") {
  test::Harness harness;
  harness.io.patience.browser_ms = 5000;
  const auto failed = open_browser(harness.io, {"/bin/false"}, "http://h/");
  REQUIRE(!failed);
  CHECK(failed.error().code == Code::unavailable);
  CHECK_FALSE(open_browser(harness.io, {"/absent"}, "http://h/").has_value());
}

}  // namespace
}  // namespace leger
