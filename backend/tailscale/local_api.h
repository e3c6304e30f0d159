#pragma once

// The client of tailscaled's LocalAPI, over its Unix socket: the one way in which legerd and leger ask tailscaled.
// Every answer is bounded in size and time; after failures in a row it is not asked for a moment, so that a hanging
// tailscaled does not hold every request for the whole time-out. Loop thread.

#include <cstdint>
#include <string>

#include "backend/base/error.h"
#include "backend/base/http_client.h"
#include "backend/base/loop.h"
#include "backend/base/secret.h"
#include "backend/base/task.h"
#include "backend/tailscale/node.h"

namespace leger {

class LocalApi {
 public:
  // `socket` is a path. The references outlive this.
  LocalApi(Loop& loop, HttpClient& http, std::string socket);

  // Whose connection `address` (`100.64.0.2:1234`, `[fd7a::1]:1234`) is; an address of the tailnet may come without a
  // port. tailscale_verification_failed where tailscaled knows nobody there; unavailable where it is absent, silent for
  // 2 s, garbled or says no, and at once for 5 s after three such failures in a row.
  Task<Result<WhoIs>> whois(std::string address);

  // This node, with the names of its user. unavailable as above; a node that is not running is an answer.
  Task<Result<NodeStatus>> status();

  // Private key and certificate chain of `domain`, PEM in one text; made or renewed by tailscaled, which may take
  // 120 s. unavailable where tailscaled is absent or silent, upstream_failed with its own words where it refuses
  // (HTTPS off, no right to ask). It is asked also while the other two are not, and its failures are no others': the
  // certificate authority's slowness is not tailscaled's.
  Task<Result<Secret>> certificate(std::string domain);

 private:
  enum class Outcome { answered, failed };

  // An answer to `path`, or why there is none. Whoever gets one judges it and calls note().
  Task<Result<HttpResponse>> ask(std::string path);
  void note(Outcome outcome);
  Error no_answer(const Error& why) const;

  Loop& loop_;
  HttpClient& http_;
  const std::string socket_;
  std::uint32_t failures_ = 0;         // in a row
  std::uint64_t closed_until_ms_ = 0;  // of the monotonic clock: not asked before, once there were too many failures
};

}  // namespace leger
