#include "backend/service/host_checks.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>

#include "backend/base/file_handle.h"
#include "tests/fakes/fake_file_system.h"
#include "tests/support.h"

namespace leger {
namespace {

// A socket on a free port of 127.0.0.1.
struct Holder {
  FileHandle socket;
  std::string port;

  explicit Holder(int type) : socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(socket.get(), 1) == 0);
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = std::to_string(ntohs(address.sin_port));
  }
};

Generation app(const std::string& published, const std::string& text = {}) {
  Generation generation;
  generation.units.push_back({.name = "web.service",
                              .source = "web.container",
                              .image = "i",
                              .secrets = {},
                              .text = "[Service]\nExecStart=podman run --publish " + published + " i\n" + text});
  return generation;
}

std::vector<Finding> taken(const std::string& published, const std::optional<Generation>& live = std::nullopt,
                           const HostState& host = {}) {
  std::vector<Finding> findings;
  find_taken_ports(live, app(published), host, findings);
  return findings;
}

}  // namespace

TEST_CASE("A port on which somebody listens is a finding, whatever address is asked for that covers it") {
  const Holder tcp(SOCK_STREAM);
  const Holder udp(SOCK_DGRAM);
  for (const std::string& published : {"127.0.0.1:" + tcp.port + ":80", tcp.port + ":80",
                                       tcp.port + "-" + tcp.port + ":80/tcp", "127.0.0.1:" + udp.port + ":53/udp"}) {
    CAPTURE(published);
    const auto findings = taken(published);
    REQUIRE(findings.size() == 1);
    CHECK(findings.front().id == "port-taken:web.container");
    CHECK(findings.front().level == "denied");
    CHECK(findings.front().message.contains(published.contains(tcp.port) ? tcp.port : udp.port));
  }
}

TEST_CASE("A port that nobody holds, that Podman chooses, or that cannot be tried is no finding") {
  std::string port;
  {
    const Holder gone(SOCK_STREAM);
    port = gone.port;
  }
  for (const std::string& published : {"127.0.0.1:" + port + ":80", std::string("80"), "192.0.2.1:" + port + ":80",
                                       "%h:" + port + ":80", "127.0.0.1:" + port + ":80/sctp"}) {
    CAPTURE(published);
    CHECK(taken(published).empty());
  }
  const Holder udp(SOCK_DGRAM);
  CHECK(taken("127.0.0.1:" + udp.port + ":53/tcp").empty());
}

TEST_CASE("The app's own port is not somebody else's while its unit is up") {
  const Holder own(SOCK_STREAM);
  const std::string published = "127.0.0.1:" + own.port + ":80";
  const auto live = app(published);
  CHECK(taken(published, live, {.unit_states = {{"web.service", "active"}}, .image_ids = {}}).empty());
  CHECK(taken(own.port + ":80", live, {.unit_states = {{"web.service", "activating"}}, .image_ids = {}}).empty());
  CHECK(taken(published, live, {.unit_states = {{"web.service", "failed"}}, .image_ids = {}}).size() == 1);
  CHECK(taken(published, app("1:1"), {.unit_states = {{"web.service", "active"}}, .image_ids = {}}).size() == 1);
}

TEST_CASE("A file system that cannot exchange folders is a finding, one that fails an error") {
  const test::TemporaryFolder folder;
  test::FakeFileSystem files;
  Installer installer(files, folder / "containers/systemd");
  REQUIRE(installer.prepare());
  std::filesystem::create_directory(installer.staging_path("s1"));
  std::vector<Finding> findings;
  REQUIRE(find_no_exchange(installer, "s1", findings));
  CHECK(findings.empty());
  files.fail_named("exchange", EINVAL);
  REQUIRE(find_no_exchange(installer, "s1", findings));
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().id == "no-exchange:");
  CHECK(findings.front().message.contains("ReadWritePaths="));
  files.fail_named("exchange", EIO);
  CHECK_FALSE(find_no_exchange(installer, "s1", findings));
  CHECK(findings.size() == 1);
}

TEST_CASE("A volume or network that changed is told to stay as it is, a new one is not") {
  const auto generation = [](const std::string& text) {
    Generation made;
    for (const char* source : {"data.volume", "net.network", "web.container"}) {
      made.units.push_back({.name = std::string(source) + ".service", .source = source, .image = "", .text = text});
    }
    return made;
  };
  std::vector<Finding> notes;
  note_kept_objects(std::nullopt, generation("two"), notes);
  note_kept_objects(generation("two"), generation("two"), notes);
  CHECK(notes.empty());
  note_kept_objects(generation("one"), generation("two"), notes);
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].id == "volume-not-changed:data.volume");
  CHECK(notes[1].id == "network-not-changed:net.network");
  CHECK(notes[0].level == "note");
}

}  // namespace leger
