#pragma once

// A tiny HTTP server on a Unix socket, in a thread of its own: it answers each request with whatever bytes the test
// gives, well formed or not, and closes the connection.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support.h"

namespace leger::test {

// A whole answer with status and JSON body.
std::string answer(int status, const std::string& body);

class SocketServer {
 public:
  // Gets `METHOD /target` and the body of a request; runs on the server's thread. An empty text is never answered.
  using Handler = std::function<std::string(const std::string& line, const std::string& body)>;

  explicit SocketServer(Handler handler);
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;
  ~SocketServer();

  std::string path() const { return folder_ / "podman.sock"; }
  // The requests so far: `METHOD /target`; and their heads whole.
  std::vector<std::string> lines() const;
  std::vector<std::string> heads() const;

 private:
  void serve();
  void serve_one(int connection);

  TemporaryFolder folder_;
  Handler handler_;
  int listener_ = -1;
  std::vector<int> held_;  // connections that are left without an answer
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> heads_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace leger::test
