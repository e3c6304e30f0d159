#include "backend/service/host_checks.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <filesystem>

#include "backend/base/file_handle.h"
#include "tests/fakes/fake_file_system.h"
#include "tests/quadlets/policy_cases.h"
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

namespace {

// An app of one unit whose command is `command`.
Generation app_of(const std::string& source, const std::string& command) {
  Generation made;
  made.units.push_back({.name = source.substr(0, source.find('.')) + ".service",
                        .source = source,
                        .image = {},
                        .secrets = {},
                        .text = "[Service]\nExecStart=/usr/bin/podman " + command + "\n"});
  return made;
}

PodmanContainer container(const std::string& name, const std::string& unit = {}, const std::string& pod = {}) {
  return {.id = "c0ffee-" + name,
          .name = name,
          .image = "i",
          .state = "running",
          .unit = unit,
          .health = {},
          .ports = {},
          .pod = pod,
          .pod_id = pod.empty() ? "" : "beef-" + pod};
}

std::vector<Finding> replaced(const PodmanContainer& there, const Generation& staged,
                              const std::set<std::string>& own = {}) {
  std::vector<Finding> flags;
  flag_replaced({container("else"), there}, own, staged, test::places_of("/staged"), flags);
  return flags;
}

}  // namespace

TEST_CASE("A container that a unit would replace is flagged, unless a unit of the app made it") {
  const Generation web = app_of("web.container", "run --name systemd-%N --replace i");
  const auto flags = replaced(container("systemd-web"), web);
  REQUIRE(flags.size() == 1);
  CHECK(flags.front().id == "container-exists:web.container");
  CHECK(flags.front().level == "flagged");
  CHECK(flags.front().file == "web.container");
  CHECK(flags.front().message.contains("podman rename systemd-web NAME"));
  CHECK(flags.front().message.contains("podman rm -f systemd-web"));
  CHECK(is_replaced(flags.front()));
  CHECK_FALSE(is_replaced({.id = "container:web.container", .level = "", .file = "", .message = ""}));
  const auto labelled = replaced(container("systemd-web", "old\x1b.service"), web, {"shop.service"});
  REQUIRE(labelled.size() == 1);
  CHECK(labelled.front().message.contains(" of old\\x1b.service"));
  CHECK(replaced(container("systemd-web", "web.service"), web).empty());
  CHECK(replaced(container("systemd-web", "shop.service"), web, {"shop.service"}).empty());
  CHECK(replaced(container("systemd-web2"), web).empty());
}

TEST_CASE("A name that begins the id of a container replaces that one, unless there is one of the name") {
  const Generation cafe = app_of("cafe.container", "run --name c0f --replace i");
  std::vector<Finding> flags = replaced(container("mine"), cafe);
  REQUIRE(flags.size() == 1);
  CHECK(flags.front().id == "container-exists:cafe.container");
  CHECK(flags.front().message.contains("beginning of the id"));
  CHECK(replaced(container("c0f", "cafe.service"), cafe).empty());
  CHECK(replaced(container("mine"), app_of("none.container", "run --name \"\" --replace i")).empty());
}

TEST_CASE("A pod that a unit would replace is flagged, and is whose its containers are") {
  const Generation shop = app_of("shop.pod", "pod create --replace --infra-name shop-infra --name shop");
  const auto flags = replaced(container("infra", "", "shop"), shop);
  REQUIRE(flags.size() == 1);
  CHECK(flags.front().id == "pod-exists:shop.pod");
  CHECK(flags.front().message.contains("podman pod rm -f shop"));
  CHECK(is_replaced(flags.front()));
  CHECK(replaced(container("infra", "shop.service", "shop"), shop).empty());
  CHECK(replaced(container("shop"), shop).empty());
  CHECK(replaced(container("infra", "", "shop"), app_of("web.container", "run --name shop --replace i")).empty());
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
