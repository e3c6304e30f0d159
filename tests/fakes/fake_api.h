#pragma once

// What a test of leger talks to in place of legerd, on a Unix socket or on TCP: answers each request with what was
// scripted for it, remembers what it was asked.

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/fakes/http_server.h"

namespace leger::test {

class FakeApi {
 public:
  // Listens on `path`.
  explicit FakeApi(const std::string& path);
  // Listens on a free port of 127.0.0.1.
  FakeApi();

  // `http://127.0.0.1:PORT`, of the one on TCP.
  std::string url() const { return server_.url(); }

  // Answers `request` ("GET /api/x") with JSON; several replies come one after the other, the last one for ever.
  void reply(const std::string& request, int status, const std::string& body);
  // The same with these bytes in place of an HTTP response; empty: the connection is closed without one.
  void reply_bytes(const std::string& request, const std::string& bytes);
  // Every request that came, in order.
  std::vector<SeenRequest> seen() const { return server_.seen(); }

 private:
  Reply answer_to(const SeenRequest& request);

  std::mutex mutex_;
  std::map<std::string, std::deque<std::string>> replies_;
  HttpServer server_;
};

}  // namespace leger::test
