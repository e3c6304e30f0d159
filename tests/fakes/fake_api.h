#pragma once

// A scripted HTTP server on a Unix socket, in a thread of its own: what a test of leger talks to in place of legerd.
// Answers each request with what was scripted for it, remembers what it was asked. One request a connection.

#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace leger::test {

struct SeenRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class FakeApi {
 public:
  // Listens on `path`, which must not exist.
  explicit FakeApi(const std::string& path);
  ~FakeApi();
  FakeApi(const FakeApi&) = delete;
  FakeApi& operator=(const FakeApi&) = delete;

  // Answers `request` ("GET /api/x") with JSON; several replies come one after the other, the last one for ever.
  void reply(const std::string& request, int status, const std::string& body);
  // The same with these bytes in place of an HTTP response; empty: the connection is closed without one.
  void reply_bytes(const std::string& request, const std::string& bytes);
  // Every request that came, in order.
  std::vector<SeenRequest> seen();

 private:
  void serve();
  void converse(int connection);
  std::string answer_to(const SeenRequest& request);

  std::mutex mutex_;
  std::map<std::string, std::deque<std::string>> replies_;
  std::vector<SeenRequest> seen_;
  int listener_ = -1;
  int stop_ = -1;  // an eventfd that ends serve()
  std::thread thread_;
};

}  // namespace leger::test
