#include "systemd/notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr int kKeepEnvironment = 0;
constexpr int kClearEnvironment = 1;
constexpr int kListening = 1;

void notify(const std::string& state) { sd_notify(kKeepEnvironment, state.c_str()); }

// One line: a line break would start another assignment.
std::string status_line(const std::string& status) { return "STATUS=" + escape_controls(status); }

Result<HandedSocket> handed_socket(int fd, std::string name) {
  const auto listens = [fd](int family) { return sd_is_socket(fd, family, SOCK_STREAM, kListening) > 0; };
  const bool is_unix = listens(AF_UNIX);
  if (!is_unix && !listens(AF_INET) && !listens(AF_INET6)) {
    return Fail({Code::invalid_request,
                 "Descriptor " + std::to_string(fd) + " (" + escape_controls(name) +
                     ") that systemd handed over is not a listening stream socket.",
                 "Use ListenStream= and Accept=no in the socket unit.",
                 {}});
  }
  // CLOEXEC is set by sd_listen_fds.
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return Fail(system_error("Cannot make descriptor " + std::to_string(fd) + " non-blocking", errno));
  }
  return HandedSocket{.fd = fd, .name = std::move(name), .is_unix = is_unix};
}

// The names that sd_listen_fds_with_names allocated, as text.
std::vector<std::string> taken(char** names, int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) {
    result.emplace_back(names[i]);
    std::free(names[i]);
  }
  std::free(static_cast<void*>(names));
  return result;
}

}  // namespace

void notify_ready(const std::string& status) { notify("READY=1\n" + status_line(status)); }
void notify_stopping() { notify("STOPPING=1"); }
void notify_watchdog() { notify("WATCHDOG=1"); }
void notify_status(const std::string& status) { notify(status_line(status)); }

std::optional<std::uint64_t> watchdog_interval_ms() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(kKeepEnvironment, &microseconds) <= 0) return std::nullopt;
  return microseconds / 1000;
}

Result<std::vector<HandedSocket>> take_handed_sockets() {
  char** allocated = nullptr;
  const int count = sd_listen_fds_with_names(kClearEnvironment, &allocated);
  if (count < 0) return Fail(system_error("Cannot take the sockets that systemd handed over", -count));
  const std::vector<std::string> names = taken(allocated, count);
  std::vector<HandedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    auto socket = handed_socket(SD_LISTEN_FDS_START + i, names[static_cast<std::size_t>(i)]);
    if (!socket) {
      for (int k = 0; k < count; ++k) close(SD_LISTEN_FDS_START + k);
      return Fail(socket.error());
    }
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

}  // namespace leger
