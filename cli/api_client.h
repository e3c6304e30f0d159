#pragma once

// legerd as the commands see it: one request, one answer, both dialects of the envelope taken off. Waits for each
// answer by running its own loop, so the commands are plain functions. Owned by run(), one thread.

#include <cstdint>
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
  std::uint64_t extra_ms = 0;  // beyond the usual time for an answer
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
  Result<Json> remove(std::string path);
  Result<Json> post(std::string path, const Json& body);

  // Closes every connection, before this process becomes another program: libcurl leaves them open for that. Nothing is
  // asked any more.
  void close();

  // The error for an answer of legerd's form in which `what` is missing.
  Error garbled(std::string_view what) const;

 private:
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
