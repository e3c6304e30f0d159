#include "tests/daemon/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <format>
#include <stdexcept>
#include <thread>
#include <utility>

#include "backend/base/text.h"

namespace leger::test {
namespace {

constexpr int kBoundMs = 20'000;  // real time; nothing that works comes near it, under sanitizers neither

void wait_for(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  if (poll(&entry, 1, kBoundMs) <= 0) throw std::runtime_error("the other side does nothing");
}

int connected(int fd, const sockaddr* address, socklen_t size) {
  if (connect(fd, address, size) != 0) {
    const int why = errno;
    close(fd);
    throw std::runtime_error(std::string("cannot connect: ") + std::strerror(why));
  }
  return fd;
}

// The value of a header in a head; empty where it is absent.
std::string header_of(std::string_view head, std::string_view name) {
  for (std::string_view line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(line.substr(0, colon), name)) continue;
    line.remove_prefix(colon + 2);
    return std::string(line.substr(0, line.size() - 1));
  }
  return {};
}

}  // namespace

bool Answer::has(std::string_view header_line) const {
  return head.contains("\r\n" + std::string(header_line) + "\r\n");
}

Client Client::tcp(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return Client(connected(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

Client Client::unix_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::invalid_argument("the socket path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return Client(connected(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

std::pair<int, int> Client::pair() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool made = bind(listener, generic, size) == 0 && listen(listener, 1) == 0 &&
                    getsockname(listener, generic, &size) == 0 && connect(first, generic, size) == 0;
  const int second = made ? accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
  close(listener);
  if (second < 0) throw std::runtime_error("no connection to itself");
  return {first, second};
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)),
      ended_(other.ended_),
      reset_(other.reset_) {}

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

void Client::send(std::string_view bytes) {
  if (send_what_goes(bytes) != bytes.size()) throw std::runtime_error("the other side has closed");
}

std::size_t Client::send_what_goes(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t taken = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken >= 0) {
      sent += static_cast<std::size_t>(taken);
    } else if (errno == EAGAIN) {
      wait_for(fd_, POLLOUT);
    } else {
      break;
    }
  }
  return sent;
}

void Client::end_sending() { shutdown(fd_, SHUT_WR); }

bool Client::receive() {
  if (ended_) return false;
  wait_for(fd_, POLLIN);
  std::array<char, 65536> buffer{};
  const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
  reset_ = length < 0;
  ended_ = length <= 0;
  if (!ended_) received_.append(buffer.data(), static_cast<std::size_t>(length));
  return !ended_;
}

std::string Client::read(std::size_t count) {
  while (received_.size() < count && receive()) {
  }
  std::string taken = received_.substr(0, count);
  received_.erase(0, taken.size());
  return taken;
}

std::string Client::read_to_end() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

std::string Client::read_some() {
  if (received_.empty()) receive();
  return std::exchange(received_, {});
}

Answer Client::read_answer(Body body) {
  return take_answer(received_, [this] { return receive(); }, body);
}

Answer take_answer(std::string& received, const std::function<bool()>& receive, Client::Body body) {
  const auto take = [&](std::size_t count) {
    while (received.size() < count && receive()) {
    }
    std::string taken = received.substr(0, count);
    received.erase(0, taken.size());
    return taken;
  };
  std::size_t end = 0;
  while ((end = received.find("\r\n\r\n")) == std::string::npos) {
    if (!receive()) throw std::runtime_error("closed before an answer: \"" + received + "\"");
  }
  Answer answer{.head = take(end + 4)};
  const std::string_view status = std::string_view(answer.head).substr(9, 3);
  std::from_chars(status.data(), status.data() + status.size(), answer.status);
  if (body == Client::Body::none || answer.status == 204 || answer.status < 200) return answer;
  if (equal_ignoring_case(header_of(answer.head, "transfer-encoding"), "chunked")) {
    std::size_t size = 1;
    while (size != 0) {
      std::size_t line = 0;
      while ((line = received.find("\r\n")) == std::string::npos) {
        if (!receive()) throw std::runtime_error("closed within a chunked answer");
      }
      const std::string digits = take(line + 2);
      std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
      answer.body += digits + take(size + 2);
    }
    return answer;
  }
  const auto length = parse_number(header_of(answer.head, "content-length"));
  answer.body = take(length.value_or(std::string::npos));
  if (length && answer.body.size() != *length) throw std::runtime_error("the answer's body is cut off");
  return answer;
}

bool Client::is_quiet() {
  char byte = 0;
  return received_.empty() && recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool Client::is_cut() const {
  pollfd entry{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return poll(&entry, 1, 0) > 0;
}

Answer ask(Client client, std::string_view request) {
  client.send(request);
  return client.read_answer(request.starts_with("HEAD ") ? Client::Body::none : Client::Body::expected);
}

bool comes_true(const std::function<bool()>& is_so) {
  for (int left = kBoundMs; left > 0; --left) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

Answer ask_when_ready(Client client, std::string_view request) {
  Answer answer;
  const bool ready = comes_true([&] {
    client.send(request);
    answer = client.read_answer();
    return answer.status != 503;
  });
  if (!ready) throw std::runtime_error("the deployer does not get ready");
  return answer;
}

std::string request(std::string_view method, std::string_view target, std::string_view body,
                    std::string_view extra_lines) {
  std::string text = std::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}", method, target, extra_lines);
  if (body.empty()) return text + "\r\n";
  if (!extra_lines.contains("Content-Type")) text += "Content-Type: application/json\r\n";
  return text + std::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
}

std::string chunk(std::string_view bytes, std::string_view extension) {
  return std::format("{:x}{}\r\n{}\r\n", bytes.size(), extension, bytes);
}

}  // namespace leger::test
