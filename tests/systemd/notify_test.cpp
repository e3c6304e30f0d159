#include "systemd/notify.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/support.h"

namespace leger {
namespace {

// The manager's end of sd_notify.
class NotifySocket {
 public:
  NotifySocket() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ / "notify";
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
  }
  std::string received() const {
    std::array<char, 4096> bytes{};
    const auto count = recv(fd_, bytes.data(), bytes.size(), 0);
    return count < 0 ? "nothing" : std::string(bytes.data(), static_cast<std::size_t>(count));
  }

 private:
  test::TemporaryFolder folder_;
  int fd_;
};

TEST_CASE("the manager is told what happens") {
  const NotifySocket manager;
  notify_ready("serving");
  CHECK(manager.received() == "READY=1\nSTATUS=serving");
  notify_watchdog();
  CHECK(manager.received() == "WATCHDOG=1");
  notify_status("recovering");
  CHECK(manager.received() == "STATUS=recovering");
  notify_stopping();
  CHECK(manager.received() == "STOPPING=1");
}

TEST_CASE("a status cannot smuggle another assignment") {
  const NotifySocket manager;
  notify_status("a\nMAINPID=1");
  CHECK(manager.received() == "STATUS=a\\x0aMAINPID=1");
}

TEST_CASE("without a manager nothing happens") {
  unsetenv("NOTIFY_SOCKET");
  notify_ready("serving");
  notify_stopping();
  CHECK(std::getenv("NOTIFY_SOCKET") == nullptr);
}

TEST_CASE("the watchdog's interval, for this process only") {
  unsetenv("WATCHDOG_USEC");
  CHECK(watchdog_interval_ms() == std::nullopt);
  setenv("WATCHDOG_USEC", "30000000", 1);
  unsetenv("WATCHDOG_PID");
  CHECK(watchdog_interval_ms() == 30'000);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  CHECK(watchdog_interval_ms() == 30'000);
  setenv("WATCHDOG_PID", std::to_string(getpid() + 1).c_str(), 1);
  CHECK(watchdog_interval_ms() == std::nullopt);
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
}

enum class Kind { unix_listener, tcp_listener, tcp6_listener, unix_stream_idle, unix_datagram, pipe_end };

template <class Address>
int bound(int family, int type, const Address& address) {
  const int fd = socket(family, type, 0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) _exit(100);
  return fd;
}

int made(Kind kind) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_addr = in6addr_loopback;
  int fd = -1;
  std::array<int, 2> ends{};
  sa_family_t family = AF_UNIX;
  switch (kind) {
    case Kind::unix_listener:
      fd = socket(AF_UNIX, SOCK_STREAM, 0);
      if (bind(fd, reinterpret_cast<sockaddr*>(&family), sizeof(family)) != 0) _exit(102);  // an abstract name
      break;
    case Kind::tcp_listener:
      fd = bound(AF_INET, SOCK_STREAM, any);
      break;
    case Kind::tcp6_listener:
      fd = bound(AF_INET6, SOCK_STREAM, any6);
      break;
    case Kind::unix_stream_idle:
      return socket(AF_UNIX, SOCK_STREAM, 0);
    case Kind::unix_datagram:
      return socket(AF_UNIX, SOCK_DGRAM, 0);
    case Kind::pipe_end:
      return pipe(ends.data()) == 0 ? ends[0] : -1;
  }
  if (listen(fd, 8) != 0) _exit(101);
  return fd;
}

// Runs `check` in a child that was handed `kinds` as 3, 4, …; its value is the child's exit status.
int in_child(const std::vector<Kind>& kinds, const char* names, const std::function<int()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<int> high;
    high.reserve(kinds.size());
    for (const Kind kind : kinds) high.push_back(fcntl(made(kind), F_DUPFD, 100));
    for (std::size_t i = 0; i < high.size(); ++i) dup2(high[i], static_cast<int>(3 + i));
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(kinds.size()).c_str(), 1);
    if (names != nullptr) setenv("LISTEN_FDNAMES", names, 1);
    _exit(check());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int check_two_sockets() {
  const auto sockets = take_handed_sockets();
  if (!sockets || sockets->size() != 2) return 1;
  const HandedSocket& tcp = sockets->front();
  const HandedSocket& local = sockets->back();
  if (tcp.name != "tcp" || tcp.is_unix || tcp.fd != 3) return 2;
  if (local.name != "unix" || !local.is_unix || local.fd != 4) return 3;
  for (const int fd : {3, 4}) {
    if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) return 4;
    if ((fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) return 5;
  }
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) {
    if (std::getenv(name) != nullptr) return 6;
  }
  const auto again = take_handed_sockets();
  return again && again->empty() ? 0 : 7;
}

TEST_CASE("handed sockets come with their names, not blocking, closed for children, and are taken once") {
  CHECK(in_child({Kind::tcp_listener, Kind::unix_listener}, "tcp:unix", check_two_sockets) == 0);
}

TEST_CASE("IPv6 listeners are TCP; without names systemd's word for it is the name") {
  CHECK(in_child({Kind::tcp6_listener}, nullptr, [] {
          const auto sockets = take_handed_sockets();
          return sockets && sockets->size() == 1 && !sockets->front().is_unix && sockets->front().name == "unknown" ? 0
                                                                                                                    : 1;
        }) == 0);
}

TEST_CASE("what is not a listening stream socket is an error that names it") {
  for (const Kind kind : {Kind::unix_stream_idle, Kind::unix_datagram, Kind::pipe_end}) {
    CHECK(in_child({Kind::unix_listener, kind}, "unix:odd", [] {
            const auto sockets = take_handed_sockets();
            if (sockets || sockets.error().message.find("4 (odd)") == std::string::npos) return 1;
            return fcntl(3, F_GETFD) == -1 && fcntl(4, F_GETFD) == -1 ? 0 : 2;
          }) == 0);
  }
}

TEST_CASE("names that do not fit the count are an error") {
  CHECK(in_child({Kind::unix_listener}, "one:two", [] { return take_handed_sockets() ? 1 : 0; }) == 0);
}

TEST_CASE("without handed sockets there are none") {
  unsetenv("LISTEN_FDS");
  const auto sockets = take_handed_sockets();
  REQUIRE(sockets);
  CHECK(sockets->empty());
}

}  // namespace
}  // namespace leger
