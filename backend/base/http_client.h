#pragma once

// Outgoing HTTP, over TCP or a Unix socket: libcurl's multi interface on the loop. Every answer is bounded in size and
// time. Its sockets are closed in a program that this process becomes or starts. Loop thread only; one client serves
// any number of requests at once.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger {

struct HttpRequest {
  std::string method = "GET";
  std::string url;                   // with unix_socket the host in it is only a name
  std::string unix_socket;           // path; empty: TCP
  std::vector<std::string> headers;  // "Name: value"
  std::optional<std::string> body;
  std::size_t max_body_bytes = 8 * 1024 * 1024;  // of the answer; a longer one is an error
  std::uint64_t connect_timeout_ms = 10'000;
  std::uint64_t timeout_ms = 10'000;  // for the whole exchange
  // Told on the loop, as the body goes out, how many bytes of it have gone of how many; may be empty.
  std::function<void(std::uint64_t, std::uint64_t)> on_upload;
  // Of a good answer, gets each part of the body as it comes instead of the body being kept: for one without an end.
  // False ends the exchange, which is a good one then. `timeout_ms` is the longest silence then. Empty: the body is
  // kept.
  std::function<bool(std::string_view part)> on_part;
  std::function<void(std::size_t bytes)> on_received;  // after each part of the answer: its bytes so far; empty: nobody
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  // The first header of that lower-case name; nothing where there is none.
  std::optional<std::string> header(std::string_view name) const;
};

class HttpClient {
 public:
  // `loop` outlives the client; no request is under way when the client is destroyed.
  explicit HttpClient(Loop& loop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any HTTP status is an answer; the error, `upstream_failed`, means that none came: libcurl's reason is in the
  // message. Redirects are not followed, proxies of the environment are not used.
  Task<Result<HttpResponse>> send(HttpRequest request);

  // Ends what is under way, and whatever is sent from here on, without an answer: for the end of a program that does
  // not want to wait for others.
  void stop();

 private:
  class Multi;
  std::unique_ptr<Multi> multi_;
};

}  // namespace leger
