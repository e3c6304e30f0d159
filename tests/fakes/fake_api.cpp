#include "tests/fakes/fake_api.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "backend/base/text.h"

namespace leger::test {
namespace {

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

// One whole request, nothing when the client went away before its end.
std::optional<SeenRequest> read_request(int connection) {
  std::string bytes;
  std::array<char, 65536> block{};
  for (;;) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end != std::string::npos) {
      SeenRequest request = parse_head(std::string_view(bytes).substr(0, end));
      const auto length = request.headers.find("content-length");
      const std::size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
      if (bytes.size() >= end + 4 + size) {
        request.body = bytes.substr(end + 4, size);
        return request;
      }
    }
    const ssize_t count = recv(connection, block.data(), block.size(), 0);
    if (count <= 0) return std::nullopt;
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

FakeApi::FakeApi(const std::string& path) : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 16) != 0) {
    throw std::runtime_error("cannot listen on " + path);
  }
  stop_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { serve(); });
}

FakeApi::~FakeApi() {
  const std::uint64_t one = 1;
  if (write(stop_, &one, sizeof one) != sizeof one) std::terminate();
  thread_.join();
  close(listener_);
  close(stop_);
}

void FakeApi::reply(const std::string& request, int status, const std::string& body) {
  reply_bytes(request, "HTTP/1.1 " + std::to_string(status) +
                           " Scripted\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body);
}

void FakeApi::reply_bytes(const std::string& request, const std::string& bytes) {
  const std::scoped_lock lock(mutex_);
  replies_[request].push_back(bytes);
}

std::vector<SeenRequest> FakeApi::seen() {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

void FakeApi::serve() {
  for (;;) {
    std::array<pollfd, 2> wanted{pollfd{listener_, POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
    poll(wanted.data(), wanted.size(), -1);
    if (wanted[1].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    converse(connection);
    close(connection);
  }
}

void FakeApi::converse(int connection) {
  const auto request = read_request(connection);
  if (!request) return;
  const std::string bytes = answer_to(*request);
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t count = send(connection, left.data(), left.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    left.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string FakeApi::answer_to(const SeenRequest& request) {
  const std::scoped_lock lock(mutex_);
  seen_.push_back(request);
  auto& replies = replies_[request.method + " " + request.target];
  if (replies.empty()) return "HTTP/1.1 599 Not scripted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  std::string bytes = replies.front();
  if (replies.size() > 1) replies.pop_front();
  return bytes;
}

}  // namespace leger::test
