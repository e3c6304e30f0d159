#include "cli/target.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/cli/harness.h"

namespace leger {
namespace {

std::string chosen(const ServerFlags& flags, const Io& io) {
  const auto target = find_target(flags, io);
  if (!target) return "error " + std::string(name_of(target.error().code));
  const auto fine = check_target(*target);
  return fine ? target->shown() : "error " + std::string(name_of(fine.error().code));
}

TEST_CASE("the server is --server or --socket, else LEGER_API_URL, else the default socket") {
  test::Harness harness;
  const std::string socket = harness.folder / "leger/legerd.sock";
  Io& io = harness.io;

  CHECK(chosen({}, io) == socket);
  io.environment["LEGER_API_URL"] = "https://api.example/api";
  CHECK(chosen({}, io) == "https://api.example");
  CHECK(chosen({.server = "https://other.example", .socket = {}}, io) == "https://other.example");
  CHECK(chosen({.server = {}, .socket = "/tmp/x.sock"}, io) == "/tmp/x.sock");
  CHECK(chosen({.server = "https://a", .socket = "/b"}, io) == "error invalid_request");
  io.environment["LEGER_API_URL"] = "unix:/run/y.sock";
  CHECK(chosen({}, io) == "/run/y.sock");
  io.environment["LEGER_API_URL"] = "";
  CHECK(chosen({}, io) == socket);
}

TEST_CASE("an absent default socket, a file in its place and no XDG_RUNTIME_DIR say how to start legerd") {
  const test::TemporaryFolder folder;
  Io io;
  const auto unset = find_target({}, io);
  REQUIRE(!unset);
  CHECK(unset.error().message == "No legerd was found: XDG_RUNTIME_DIR is not set.");
  CHECK(unset.error().action.contains("systemctl --user start legerd.socket"));

  io.environment["XDG_RUNTIME_DIR"] = folder.path();
  CHECK(chosen({}, io) == "error unavailable");
  std::filesystem::create_directories(folder / "leger/legerd.sock");
  const auto folder_there = find_target({}, io);
  REQUIRE(!folder_there);
  CHECK(folder_there.error().message ==
        "No legerd was found: there is no socket \"" + folder.path() + "/leger/legerd.sock\".");
}

TEST_CASE("addresses of servers are read as people write them") {
  struct Line {
    const char* text;
    const char* shown;
  };
  const std::vector<Line> lines{
      {"https://host", "https://host"},
      {"https://host/", "https://host"},
      {"https://host:8443/api/", "https://host:8443"},
      {"https://host/leger/api", "https://host/leger"},
      {"HTTPS://host", "https://host"},
      {"https://Host.Example", "https://host.example"},
      {"https://host:443/", "https://host"},
      {"https://host:80", "https://host:80"},
      {"http://host:80/api", "http://host"},
      {"http://host:443", "http://host:443"},
      {"http://[::1]:8787/api", "http://[::1]:8787"},
      {"unix:/run/x", "/run/x"},
      {"unix:", "error"},
      {"", "error"},
      {"host:8787", "error"},
      {"/run/x", "error"},
      {"ftp://host", "error"},
      {"https://user@host", "error"},
      {"https://user:word@host", "error"},
      {"https://host?x=1", "error"},
      {"https://host/#x", "error"},
      {"https://", "error"},
      {"https://ho st", "error"},
  };
  for (const Line& line : lines) {
    CAPTURE(line.text);
    const auto target = parse_target(line.text, "--server");
    CHECK((target ? target->shown() : "error") == line.shown);
    if (!target) CHECK(target.error().code == Code::invalid_request);
  }
}

TEST_CASE("a socket's path fits the address of a Unix socket") {
  CHECK(parse_target("unix:/" + std::string(106, 'x'), "--server").has_value());
  CHECK_FALSE(parse_target("unix:/" + std::string(107, 'x'), "--server").has_value());
}

TEST_CASE("plain http is for loopback and the tailnet") {
  struct Line {
    const char* address;
    bool fine;
  };
  const std::vector<Line> lines{
      {"127.0.0.1", true},
      {"127.255.255.254", true},
      {"126.255.255.255", false},
      {"128.0.0.0", false},
      {"100.64.0.0", true},
      {"100.127.255.255", true},
      {"100.63.255.255", false},
      {"100.128.0.0", false},
      {"10.0.0.1", false},
      {"192.168.1.1", false},
      {"0.0.0.0", false},
      {"8.8.8.8", false},
      {"::1", true},
      {"::", false},
      {"::2", false},
      {"fd7a:115c:a1e0::1", true},
      {"fd7a:115c:a1e1::1", false},
      {"fe80::1", false},
      {"::ffff:127.0.0.1", true},
      {"::ffff:8.8.8.8", false},
      {"::ffff:100.64.0.1", true},
  };
  for (const Line& line : lines) {
    CAPTURE(line.address);
    CHECK(check_plain_addresses("host", {line.address}).has_value() == line.fine);
  }
}

TEST_CASE("plain http needs every address of the host to be fine, and at least one") {
  CHECK(check_plain_addresses("host", {"127.0.0.1", "::1"}).has_value());
  CHECK_FALSE(check_plain_addresses("host", {}).has_value());
  const auto mixed = check_plain_addresses("host", {"100.64.0.1", "1.2.3.4"});
  REQUIRE(!mixed);
  CHECK(mixed.error().code == Code::insufficient_permissions);
  CHECK(mixed.error().message.starts_with("Plain http:// to \"host\" (1.2.3.4) is refused"));
}

TEST_CASE("the check of plain http is made for flag and variable, and not for https") {
  Io io;
  CHECK(chosen({.server = "http://8.8.8.8", .socket = {}}, io) == "error insufficient_permissions");
  CHECK(chosen({.server = "HTTP://8.8.8.8", .socket = {}}, io) == "error insufficient_permissions");
  CHECK(chosen({.server = "https://8.8.8.8", .socket = {}}, io) == "https://8.8.8.8");
  CHECK(chosen({.server = "http://127.0.0.1:8787", .socket = {}}, io) == "http://127.0.0.1:8787");
  CHECK(chosen({.server = "http://[::1]:8787", .socket = {}}, io) == "http://[::1]:8787");
  CHECK(chosen({.server = "http://name.invalid", .socket = {}}, io) == "error unavailable");
  io.environment["LEGER_API_URL"] = "http://[2001:db8::1]/api";
  CHECK(chosen({}, io) == "error insufficient_permissions");
}

}  // namespace
}  // namespace leger
