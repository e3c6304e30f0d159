#pragma once

// HTTP/1.1 on one connection: a request is read, routed, answered, then the next one; within the times and sizes of
// threats T23 to T25. Lives in the frame of its serving task. Loop thread.

#include <cstdint>
#include <string>

#include "backend/base/log.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"
#include "daemon/client_connection.h"
#include "daemon/guard.h"
#include "daemon/http_types.h"
#include "daemon/message_parser.h"
#include "daemon/request_ids.h"
#include "daemon/router.h"

namespace leger {

inline constexpr std::uint64_t kHeadTimeoutMs = 10'000;  // from accept, or from the first byte of a later request
inline constexpr std::uint64_t kKeepAliveMs = 60'000;    // silence between requests
inline constexpr std::uint64_t kBodyGraceMs = 10'000;    // after it a body must have come at kBodyBytesPerSecond
inline constexpr std::uint64_t kBodyBytesPerSecond = 1024;
inline constexpr std::uint64_t kNoProgressMs = 90'000;  // no byte of a body
inline constexpr std::uint64_t kLiveSilenceMs =
    15'000;                                        // after which an answer that comes as it happens says something
inline constexpr std::uint64_t kLingerMs = 1'000;  // reading on after an early refusal
inline constexpr std::size_t kMaxJsonBody = 1024 * 1024;
inline constexpr std::size_t kMaxOpenBody = 4096;  // before a request is authenticated
inline constexpr std::size_t kMaxBundleBody = 16 * 1024 * 1024;

// What serving needs beside the connection; all of it outlives every connection.
struct HttpServices {
  Loop& loop;
  const Log& log;
  const Guard& guard;
  const Router& router;
  RouteContext& context;
  const bool& is_stopping;  // answers close their connections
  RequestIds& ids;
};

class HttpSession {
 public:
  HttpSession(HttpServices& services, ClientConnection& connection) : services_(services), connection_(connection) {}
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  // Until the connection is to be closed.
  Task<void> serve();

 private:
  enum class Next { request, close };

  Task<Result<bool>> read_head();  // false: the other side is gone or was silent
  Task<Next> answer_request();
  Task<Next> answer_route(Router::Match match, const Caller* caller);
  Task<Next> answer(Response response);
  Task<Result<Response>> call_route(const Route& route, Request& request);
  Result<void> check_body(const Route& route) const;
  Task<Result<void>> read_json(std::string& body, std::size_t limit);
  Task<Result<std::string>> read_body_part();
  Task<Result<void>> send_continue();
  std::uint64_t body_deadline() const;
  Task<Next> refuse(Error error, std::string allow);
  void record_refusal(const Error& error);
  Task<bool> send_parts(BodySource source);
  Task<bool> send_part(std::string part);
  Task<bool> send_live(LiveBody body);
  Task<bool> send_body_file(FileBody body);
  Task<void> linger();
  const std::string& date();

  HttpServices& services_;
  ClientConnection& connection_;
  MessageParser parser_;
  Proof proof_;
  const Route* route_ = nullptr;  // of the request that is being answered, once it is known
  std::string caller_;            // and its account
  std::string head_bytes_;
  std::string out_;
  std::string date_;
  std::int64_t date_second_ = 0;
  std::size_t requests_this_turn_ = 0;  // since the connection last waited for input
  bool first_request_ = true;
  bool body_ended_ = true;     // all of the request has been read
  bool continue_due_ = false;  // the client waits for 100 Continue before its body
  std::uint64_t body_limit_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t body_started_ms_ = 0;  // moved on while nobody reads: the client is not to blame for that time
  std::uint64_t body_paused_ms_ = 0;
  std::uint64_t body_progress_ms_ = 0;
};

}  // namespace leger
