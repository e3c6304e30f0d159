#include "tests/quadlets/socket_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace leger::test {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.c_str(), path.size() + 1);
  return address;
}

// The length that a head announces for its body.
std::size_t body_length(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

SocketServer::SocketServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path());
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 16) != 0) {
    throw std::runtime_error("the test server cannot listen");
  }
  thread_ = std::thread([this] { serve(); });
}

SocketServer::~SocketServer() {
  stopping_ = true;
  // A connection wakes the thread; were it refused, the listener would be gone and the thread with it.
  const int waker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path());
  [[maybe_unused]] const int woken = connect(waker, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  thread_.join();
  close(waker);
  close(listener_);
  for (const int connection : held_) close(connection);
}

std::vector<std::string> SocketServer::lines() const {
  const std::scoped_lock lock(mutex_);
  return lines_;
}

std::vector<std::string> SocketServer::heads() const {
  const std::scoped_lock lock(mutex_);
  return heads_;
}

void SocketServer::serve() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (stopping_ || connection < 0) {
      close(connection);
      return;
    }
    serve_one(connection);
  }
}

void SocketServer::serve_one(int connection) {
  std::string request;
  std::array<char, 4096> block{};
  std::size_t head_end = std::string::npos;
  while (head_end == std::string::npos || request.size() < head_end + body_length(request.substr(0, head_end))) {
    const ssize_t length = read(connection, block.data(), block.size());
    if (length <= 0) break;
    request.append(block.data(), static_cast<std::size_t>(length));
    if (head_end == std::string::npos && request.find("\r\n\r\n") != std::string::npos) {
      head_end = request.find("\r\n\r\n") + 4;
    }
  }
  const std::string line = request.substr(0, request.find(" HTTP/"));
  {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(line);
    heads_.push_back(request.substr(0, head_end));
  }
  const std::string reply = handler_(line, head_end == std::string::npos ? "" : request.substr(head_end));
  if (reply.empty()) {
    held_.push_back(connection);
    return;
  }
  std::size_t sent = 0;
  while (sent < reply.size()) {
    // The client may have gone away, which is no signal's business.
    const ssize_t length = send(connection, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
    if (length <= 0) break;
    sent += static_cast<std::size_t>(length);
  }
  close(connection);
}

}  // namespace leger::test
