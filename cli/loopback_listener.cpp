#include "cli/loopback_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMaxHeadBytes = 8192;

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    result += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return result;
}

// A whole answer without a body. The page's address may hold what nobody else should see.
std::string answer(std::string_view status, std::string_view more_headers) {
  return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(more_headers) +
         "Content-Length: 0\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n";
}

// Into the buffer of a connection that has seen nothing yet, where it always fits. What a browser that is gone misses
// is its own.
void send_answer(int fd, const std::string& text) {
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) shutdown(fd, SHUT_WR);
}

// The query of `GET /?QUERY HTTP/1.1`; where the head is another one, it is answered.
std::optional<Query> accepted(int fd, std::string_view head) {
  const auto words = split(head.substr(0, head.find("\r\n")), ' ');
  if (words.size() != 3 || !words[2].starts_with("HTTP/1.")) {
    send_answer(fd, answer("400 Bad Request", ""));
    return std::nullopt;
  }
  if (words[0] != "GET") {
    send_answer(fd, answer("405 Method Not Allowed", "Allow: GET\r\n"));
    return std::nullopt;
  }
  const std::size_t mark = words[1].find('?');
  if (words[1].substr(0, mark) != "/") {  // browsers ask for /favicon.ico
    send_answer(fd, answer("404 Not Found", ""));
    return std::nullopt;
  }
  return parse_query(mark == std::string_view::npos ? "" : words[1].substr(mark + 1));
}

}  // namespace

Query parse_query(std::string_view text) {
  Query query;
  for (const std::string_view part : split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = decoded(part.substr(0, equals));
    auto value = decoded(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value || !query.emplace(*std::move(name), *std::move(value)).second) return {};
  }
  return query;
}

Result<LoopbackListener> LoopbackListener::open(const Patience& patience) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(system_error("Listening for the browser", errno));
  LoopbackListener listener(fd, 0, patience);  // closes it whatever comes
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(fd, generic, size) != 0 || listen(fd, kMaxConnections) != 0 || getsockname(fd, generic, &size) != 0) {
    return Fail(system_error("Listening for the browser on 127.0.0.1", errno));
  }
  listener.port_ = ntohs(address.sin_port);
  return listener;
}

LoopbackListener::LoopbackListener(int fd, std::uint16_t port, const Patience& patience)
    : fd_(fd), port_(port), request_ms_(patience.request_ms), until_ms_(clock_.monotonic_ms() + patience.sign_in_ms) {}

LoopbackListener::LoopbackListener(LoopbackListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      port_(other.port_),
      request_ms_(other.request_ms_),
      until_ms_(other.until_ms_),
      connections_(std::exchange(other.connections_, {})),
      current_(std::exchange(other.current_, -1)) {}

LoopbackListener::~LoopbackListener() {
  for (const Connection& connection : connections_) close(connection.fd);
  if (current_ >= 0) close(current_);
  if (fd_ >= 0) close(fd_);
}

std::string LoopbackListener::address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

Result<Query> LoopbackListener::next() {
  for (;;) {
    for (std::size_t i = 0; i < connections_.size();) {
      Connection& connection = connections_[i];
      const Progress progress = read_some(connection);
      if (progress == Progress::waiting) {
        ++i;
        continue;
      }
      auto query = progress == Progress::whole ? accepted(connection.fd, connection.head) : std::nullopt;
      if (query) current_ = std::exchange(connection.fd, -1);
      close_at(i);
      if (query) return *std::move(query);
    }
    const auto ready = wait_for_bytes();
    if (!ready) return Fail(ready.error());
    drop_late();
    accept_one();
  }
}

void LoopbackListener::redirect(const std::string& location) {
  send_answer(current_, answer("303 See Other", "Location: " + location + "\r\n"));
  close(std::exchange(current_, -1));
}

// Until something can be read or accepted, or a connection is late.
Result<void> LoopbackListener::wait_for_bytes() {
  const std::uint64_t now = clock_.monotonic_ms();
  if (now >= until_ms_) {
    return Fail({Code::request_timeout,
                 "Nobody signed in in the browser in time.",
                 "Start over:\n  leger login\n\nOr without a browser on this machine:\n  leger login --no-browser",
                 {}});
  }
  std::uint64_t wake_at = until_ms_;
  // A listener whose places are taken is not watched: poll ignores a negative descriptor.
  std::vector<pollfd> wanted{{.fd = connections_.size() < kMaxConnections ? fd_ : -1, .events = POLLIN, .revents = 0}};
  for (const Connection& connection : connections_) {
    wanted.push_back({.fd = connection.fd, .events = POLLIN, .revents = 0});
    wake_at = std::min(wake_at, connection.until_ms);
  }
  const auto pause = static_cast<int>(wake_at > now ? wake_at - now : 0);
  if (poll(wanted.data(), wanted.size(), pause) < 0 && errno != EINTR) {
    return Fail(system_error("Waiting for the browser", errno));
  }
  return {};
}

void LoopbackListener::accept_one() {
  if (connections_.size() >= kMaxConnections) return;
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) connections_.push_back({.fd = fd, .until_ms = clock_.monotonic_ms() + request_ms_, .head = {}});
}

void LoopbackListener::drop_late() {
  const std::uint64_t now = clock_.monotonic_ms();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    if (connections_[i].until_ms <= now) close_at(i);
  }
}

LoopbackListener::Progress LoopbackListener::read_some(Connection& connection) const {
  std::array<char, 4096> block{};
  const ssize_t count = recv(connection.fd, block.data(), block.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::waiting;
  if (count <= 0) return Progress::over;
  connection.head.append(block.data(), static_cast<std::size_t>(count));
  if (connection.head.contains("\r\n\r\n")) return Progress::whole;
  if (connection.head.size() < kMaxHeadBytes) return Progress::waiting;
  send_answer(connection.fd, answer("431 Request Header Fields Too Large", ""));
  return Progress::over;
}

void LoopbackListener::close_at(std::size_t index) {
  if (connections_[index].fd >= 0) close(connections_[index].fd);
  connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace leger
