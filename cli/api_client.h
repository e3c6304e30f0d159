#pragma once

// legerd as the commands see it: one request, one answer, both dialects of the envelope taken off. Waits for each
// answer by running its own loop, so the commands are plain functions. Owned by run(), one thread.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "backend/base/http_client.h"
#include "backend/base/json.h"
#include "backend/base/loop.h"
#include "backend/base/secret.h"
#include "cli/io.h"
#include "cli/target.h"

namespace leger {

struct ApiRequest {
  std::string method = "GET";
  std::string path;          // begins with a slash, encoded
  std::string content_type;  // empty: no body
  Secret body;
  std::uint64_t extra_ms = 0;                                   // beyond the usual time for an answer
  std::function<void(std::uint64_t, std::uint64_t)> on_upload;  // bytes of the body that have gone, of how many
};

// For an answer that is bytes, not an envelope.
struct BytesRequest {
  std::string path;           // begins with a slash, encoded
  std::size_t max_bytes = 0;  // of the answer; a longer one is an error
  std::uint64_t extra_ms = 0;
  std::function<void(std::size_t bytes)> on_received;  // the bytes so far; empty: nobody
};

// For an answer that comes as things happen.
struct StreamRequest {
  std::string path;                                // begins with a slash, encoded
  std::string last_event_id;                       // of the last event that came; empty: from the first
  std::function<bool(std::string_view)> on_bytes;  // false: it is enough
  std::uint64_t silence_ms = 45'000;               // longer than legerd is ever silent
};

struct ApiAnswer {
  int status = 0;
  Json data;  // the envelope's
};

class ApiClient {
 public:
  // `token` goes with every request: the one that was stored for this very target, or none.
  ApiClient(Target target, const Patience& patience, std::optional<Secret> token = std::nullopt);

  const Target& target() const { return target_; }

  // The error is legerd's own, its texts escaped, and for a token that it does not take what to do; unavailable where
  // nothing answers; upstream_failed where the answer is not legerd's.
  Result<ApiAnswer> send(ApiRequest request);
  Result<Json> get(std::string path);
  // `extra_ms`: as in ApiRequest.
  Result<Json> remove(std::string path, std::uint64_t extra_ms = 0);
  Result<Json> post(std::string path, const Json& body, std::uint64_t extra_ms = 0);

  // The bytes that a GET gives, whole; the error as that of send().
  Result<std::string> fetch(BytesRequest request);

  // Gives the bytes that a GET has as they come, until either side ends it. The error as that of send().
  Result<void> stream(StreamRequest request);

  // Closes every connection, so that legerd is not kept waiting by a process that becomes another program. Nothing is
  // asked any more.
  void close();

  // The error for an answer of legerd's form in which `what` is missing.
  Error garbled(std::string_view what) const;

 private:
  HttpRequest prepare(std::string method, const std::string& path, std::uint64_t extra_ms) const;
  Result<ApiAnswer> read(const HttpResponse& response) const;
  Error with_sign_in_advice(Error error) const;
  Error no_answer(const Error& why) const;

  Target target_;
  Patience patience_;
  std::optional<Secret> token_;
  SystemClock clock_;
  std::optional<Loop> loop_{std::in_place, clock_};
  std::optional<HttpClient> http_{std::in_place, *loop_};
};

}  // namespace leger
