#include "tests/fakes/http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "backend/base/text.h"

namespace leger::test {
namespace {

constexpr int kByteMs = 20;

SeenRequest parse_head(std::string_view head) {
  SeenRequest request;
  bool first = true;
  for (std::string_view line : split(head, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (first) {
      const auto words = split(line, ' ');
      request.method = words.at(0);
      request.target = words.at(1);
      first = false;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      request.headers[ascii_lower(line.substr(0, colon))] = line.substr(std::min(colon + 2, line.size()));
    }
  }
  return request;
}

// The request that `bytes` are, nothing while it is not whole.
std::optional<SeenRequest> whole_request(const std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  SeenRequest request = parse_head(std::string_view(bytes).substr(0, end));
  const auto length = request.headers.find("content-length");
  const std::size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
  if (bytes.size() < end + 4 + size) return std::nullopt;
  request.body = bytes.substr(end + 4, size);
  return request;
}

void listen_on(int listener, const sockaddr* address, socklen_t size) {
  if (bind(listener, address, size) != 0 || listen(listener, 64) != 0) {
    throw std::runtime_error("the test server cannot listen");
  }
}

}  // namespace

std::string http_answer(int status, const std::string& body, const std::string& type) {
  return "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nContent-Type: " + type +
         "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

HttpServer::HttpServer(const std::string& path, Handler handler) : handler_(std::move(handler)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  unlink(path.c_str());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listen_on(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  start();
}

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listen_on(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  start();
}

void HttpServer::start() {
  stop_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

HttpServer::~HttpServer() {
  const std::uint64_t one = 1;
  if (write(stop_, &one, sizeof one) != sizeof one) std::terminate();
  thread_.join();
  for (Connection& connection : connections_) finish(connection);
  close(listener_);
  close(stop_);
}

std::vector<SeenRequest> HttpServer::seen() const {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

bool HttpServer::is_slow(const Connection& connection) {
  return connection.is_asked && connection.reply.pace == Reply::Pace::byte_by_byte;
}

// A client that goes away is always heard of; a slow answer goes by the clock.
short HttpServer::wanted(const Connection& connection) {
  const bool writes = connection.is_asked && connection.reply.pace == Reply::Pace::at_once;
  return static_cast<short>(POLLIN | (writes ? POLLOUT : 0));
}

void HttpServer::finish(Connection& connection) {
  close(connection.fd);
  connection.fd = -1;
}

void HttpServer::serve() {
  for (;;) {
    std::vector<pollfd> polled{{stop_, POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Connection& connection : connections_) polled.push_back({connection.fd, wanted(connection), 0});
    poll(polled.data(), polled.size(), std::ranges::any_of(connections_, is_slow) ? kByteMs : -1);
    if (polled[0].revents != 0) return;
    for (std::size_t i = 0; i < connections_.size(); ++i) act(connections_[i], polled[i + 2].revents);
    std::erase_if(connections_, [](const Connection& connection) { return connection.fd < 0; });
    if (polled[1].revents == 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) connections_.push_back({.fd = fd});
  }
}

void HttpServer::act(Connection& connection, short events) {
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) read_from(connection);
  if (connection.fd >= 0 && ((events & POLLOUT) != 0 || is_slow(connection))) write_to(connection);
}

void HttpServer::read_from(Connection& connection) {
  std::array<char, 65536> block{};
  const ssize_t count = recv(connection.fd, block.data(), block.size(), 0);
  if (count <= 0) {
    finish(connection);
    return;
  }
  connection.received.append(block.data(), static_cast<std::size_t>(count));
  if (connection.is_asked) return;
  const auto request = whole_request(connection.received);
  if (!request) return;
  {
    const std::scoped_lock lock(mutex_);
    seen_.push_back(*request);
  }
  connection.is_asked = true;
  connection.reply = handler_(*request);
  if (connection.reply.bytes.empty() && connection.reply.pace == Reply::Pace::at_once) finish(connection);
}

void HttpServer::write_to(Connection& connection) {
  const std::size_t left = connection.reply.bytes.size() - connection.sent;
  const ssize_t count = send(connection.fd, connection.reply.bytes.data() + connection.sent,
                             is_slow(connection) ? std::min<std::size_t>(left, 1) : left, MSG_NOSIGNAL);
  if (count < 0 && errno == EAGAIN) return;
  if (count > 0) connection.sent += static_cast<std::size_t>(count);
  if (count <= 0 || connection.sent == connection.reply.bytes.size()) finish(connection);
}

}  // namespace leger::test
