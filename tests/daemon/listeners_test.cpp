#include "daemon/listeners.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/daemon/client.h"
#include "tests/support.h"

namespace leger::test {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info{};
  REQUIRE(lstat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// Closes what a test bound.
struct Bound {
  explicit Bound(Result<ListeningSocket> socket) {
    REQUIRE_MESSAGE(socket.has_value(), (socket ? "" : socket.error().message));
    listening = *socket;
  }
  ~Bound() { close(listening.fd); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  ListeningSocket listening;
};

}  // namespace

TEST_CASE("loopback and the tailnet ranges are private, their neighbours are not") {
  for (const char* address :
       {"127.0.0.1", "127.0.0.0", "127.255.255.255", "100.64.0.0", "100.64.0.1", "100.127.255.255", "::1",
        "fd7a:115c:a1e0::", "fd7a:115c:a1e0::1", "fd7a:115c:a1e0:ffff:ffff:ffff:ffff:ffff"}) {
    CAPTURE(address);
    CHECK(is_private_address(address));
  }
  for (const char* address : {"126.255.255.255",
                              "128.0.0.0",
                              "100.63.255.255",
                              "100.128.0.0",
                              "0.0.0.0",
                              "10.0.0.1",
                              "192.168.1.1",
                              "169.254.0.1",
                              "8.8.8.8",
                              "::",
                              "::2",
                              "::ffff:127.0.0.1",
                              "::ffff:8.8.8.8",
                              "fd7a:115c:a1df:ffff:ffff:ffff:ffff:ffff",
                              "fd7a:115c:a1e1::",
                              "fd00::1",
                              "fe80::1",
                              "",
                              "localhost",
                              "127.1",
                              "0x7f.0.0.1",
                              "127.0.0.1 ",
                              "::1%lo"}) {
    CAPTURE(address);
    CHECK_FALSE(is_private_address(address));
  }
}

TEST_CASE("a Unix socket is its owner's alone, and so is the folder that is made for it") {
  const TemporaryFolder folder;
  const std::string path = folder / "run/leger/legerd.sock";
  const Bound bound(bind_unix(path));
  CHECK(bound.listening.is_unix);
  CHECK(bound.listening.address == path);
  CHECK(mode_of(path) == 0600);
  CHECK(mode_of(folder / "run/leger") == 0700);
}

TEST_CASE("a socket that nobody listens on is replaced") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.sock";
  {
    const Bound left(bind_unix(path));
  }
  REQUIRE(std::filesystem::exists(path));
  const Bound bound(bind_unix(path));
  REQUIRE(listen(bound.listening.fd, 1) == 0);
  CHECK(Client::unix_socket(path).is_quiet());
}

TEST_CASE("a socket that another process listens on is left to it") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.sock";
  const Bound first(bind_unix(path));
  REQUIRE(listen(first.listening.fd, 5) == 0);
  const auto second = bind_unix(path);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::conflict);
  CHECK(second.error().message.contains(path));
  CHECK(Client::unix_socket(path).is_quiet());
}

TEST_CASE("a socket whose listener is too busy to accept is left to it") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.sock";
  const Bound first(bind_unix(path));
  REQUIRE(listen(first.listening.fd, 0) == 0);
  const Client waiting = Client::unix_socket(path);  // the queue of length 0 holds one
  const auto second = bind_unix(path);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::conflict);
}

TEST_CASE("what is not a socket is left alone") {
  const TemporaryFolder folder;
  const std::string path = folder / "x.sock";
  std::ofstream(path) << "mine";
  const auto bound = bind_unix(path);
  REQUIRE_FALSE(bound.has_value());
  CHECK(bound.error().code == Code::conflict);
  CHECK(std::filesystem::file_size(path) == 4);
}

TEST_CASE("a socket path has at most 107 bytes") {
  const TemporaryFolder folder;
  const std::string longest = folder / std::string(107 - folder.path().size() - 1, 's');
  {
    const Bound bound(bind_unix(longest));
  }
  const auto longer = bind_unix(longest + "s");
  REQUIRE_FALSE(longer.has_value());
  CHECK(longer.error().code == Code::invalid_request);
}

TEST_CASE("a socket needs a folder that can be made") {
  const TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  CHECK_FALSE(bind_unix(folder / "file/x.sock").has_value());
}

TEST_CASE("an address to listen on is an IP address and a port") {
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", ":8787", "127.0.0.1:65536", "127.0.0.1:x", "localhost:8787", "::1:8787", "[::1]",
        "[127.0.0.1]:1", "127.0.0.1:-1", "[::1", "127.0.0.1:1\n"}) {
    CAPTURE(address);
    const auto bound = bind_tcp(address, false);
    REQUIRE_FALSE(bound.has_value());
    CHECK(bound.error().code == Code::invalid_request);
    CHECK_FALSE(bound.error().message.contains('\n'));
  }
}

TEST_CASE("an address that the world reaches needs insecure") {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "8.8.8.8:0"}) {
    CAPTURE(address);
    const auto refused = bind_tcp(address, false);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_request);
    CHECK(refused.error().message.contains(address));
    CHECK(refused.error().action.contains("insecure"));
  }
  const Bound open(bind_tcp("0.0.0.0:0", true));
  CHECK_FALSE(open.listening.is_unix);
}

TEST_CASE("a tailnet address can be bound before it exists") {
  const Bound bound(bind_tcp("100.64.1.2:0", false));
  CHECK(bound.listening.address == "100.64.1.2:0");
}

TEST_CASE("a port that is taken says what to do") {
  const Bound first(bind_tcp("127.0.0.1:0", false));
  REQUIRE(listen(first.listening.fd, 1) == 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(first.listening.fd, reinterpret_cast<sockaddr*>(&address), &size);
  const auto second = bind_tcp("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), false);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().action.contains("--listen"));
}

TEST_CASE("a handed-over socket obeys the same rule") {
  const Bound local(bind_tcp("127.0.0.1:0", false));
  const auto checked = check_handed_tcp(local.listening.fd, false);
  REQUIRE(checked.has_value());
  CHECK(checked->starts_with("127.0.0.1:"));
  const Bound open(bind_tcp("0.0.0.0:0", true));
  const auto refused = check_handed_tcp(open.listening.fd, false);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.contains("0.0.0.0:"));
  CHECK(check_handed_tcp(open.listening.fd, true).has_value());
  CHECK_FALSE(check_handed_tcp(-1, true).has_value());
}

TEST_CASE("a handed-over socket of IPv6 obeys the same rule") {
  const auto loopback = bind_tcp("[::1]:0", false);
  if (!loopback) return;  // a host without IPv6
  const Bound local(loopback);
  const auto checked = check_handed_tcp(local.listening.fd, false);
  REQUIRE(checked.has_value());
  CHECK(checked->starts_with("[::1]:"));
  const Bound open(bind_tcp("[::]:0", true));
  CHECK_FALSE(check_handed_tcp(open.listening.fd, false).has_value());
}

}  // namespace leger::test
