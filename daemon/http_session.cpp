#include "daemon/http_session.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "daemon/answer_head.h"
#include "daemon/envelope.h"
#include "daemon/file_answer.h"
#include "daemon/request_fields.h"
#include "daemon/route_context.h"

namespace leger {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kBodyPart = 64 * 1024;
constexpr std::size_t kRequestsATurn = 16;  // of one connection

Error timed_out() { return {Code::request_timeout, "The request took too long to arrive.", {}, {}}; }
Error gone() { return {Code::request_timeout, "The client is gone.", {}, {}}; }

Error too_large(const Route& route, std::uint64_t limit) {
  const Code code = route.body == Body::bundle ? Code::bundle_too_large : Code::body_too_large;
  return {code, "The body is larger than " + std::to_string(limit) + " bytes.", {}, {}};
}

bool has_type(const Head& head, std::string_view type) {
  const auto value = head.header("content-type");
  if (!value) return false;
  std::string_view essence = value->substr(0, value->find(';'));
  while (essence.ends_with(' ')) essence.remove_suffix(1);
  return equal_ignoring_case(essence, type);
}

bool is_refusal(Code code) {
  switch (code) {
    case Code::invalid_token:
    case Code::tailscale_verification_failed:
    case Code::account_not_linked:
    case Code::insufficient_permissions:
    case Code::forbidden_origin:
    case Code::unknown_host:
    case Code::rate_limit_exceeded:
      return true;
    default:
      return false;
  }
}

std::uint64_t limit_of(const Route& route) {
  if (route.body == Body::bundle) return kMaxBundleBody;
  return route.scope == Scope::open ? kMaxOpenBody : kMaxJsonBody;
}

}  // namespace

Task<void> HttpSession::serve() {
  Next next = Next::request;
  while (next == Next::request) {
    // A client whose requests are all there already would be served until they are done, without a wait in between.
    if (requests_this_turn_ == kRequestsATurn) {
      co_await NextTurn{services_.loop};
      requests_this_turn_ = 0;
    }
    auto head = co_await read_head();
    if (!head) {
      next = co_await refuse(head.error(), {});
    } else if (*head) {
      next = co_await answer_request();
    } else {
      next = Next::close;
    }
  }
}

Task<Result<bool>> HttpSession::read_head() {
  parser_.reset();
  body_ended_ = false;
  const std::uint64_t now = services_.loop.timers().now_ms();
  const bool idle = connection_.input().empty();
  if (idle && services_.is_stopping) co_return false;
  connection_.set_idle(idle);
  std::uint64_t deadline = now + (idle && !first_request_ ? kKeepAliveMs : kHeadTimeoutMs);
  bool silent = idle;
  while (true) {
    auto length = parser_.find_head(connection_.input());
    if (!length) co_return Fail(length.error());
    if (*length > 0) {
      head_bytes_.assign(connection_.input().substr(0, *length));
      connection_.consume(*length);
      break;
    }
    const ClientConnection::Wait wait = co_await connection_.more_input(connection_.input().size(), deadline);
    if (wait == ClientConnection::Wait::ended) co_return false;
    if (wait == ClientConnection::Wait::timed_out) {
      if (silent) co_return false;
      co_return Fail(timed_out());
    }
    if (silent && !first_request_) deadline = services_.loop.timers().now_ms() + kHeadTimeoutMs;
    silent = false;
    connection_.set_idle(false);
  }
  requests_this_turn_ = idle ? 1 : requests_this_turn_ + 1;
  first_request_ = false;
  auto parsed = parser_.parse_head(head_bytes_);
  if (!parsed) co_return Fail(parsed.error());
  co_return true;
}

Task<HttpSession::Next> HttpSession::answer_request() {
  const Head& head = parser_.head();
  route_ = nullptr;
  caller_.clear();
  body_ended_ = !head.has_body() && !head.chunked;
  body_bytes_ = 0;
  continue_due_ = head.expects_continue && !body_ended_;
  body_started_ms_ = body_progress_ms_ = services_.loop.timers().now_ms();
  body_paused_ms_ = 0;
  const Peer& peer = connection_.peer();
  if (auto checked = services_.guard.check_request(head, peer, proof_); !checked) {
    co_return co_await refuse(checked.error(), {});
  }
  auto match = services_.router.find(head);
  if (!match) co_return co_await refuse(match.error(), {});
  route_ = match->route;
  const Caller* caller = services_.guard.proven(head, peer, proof_);
  Caller found;
  // What is open is open to our own account's process as well, but to nobody else who came to the Unix socket.
  if (caller == nullptr && (!match->is_open || peer.is_unix)) {
    auto identified =
        co_await services_.guard.authenticate(std::string(head.header("authorization").value_or("")), peer, proof_);
    if (!identified) co_return co_await refuse(identified.error(), {});
    found = std::move(*identified);
    caller = &found;
  }
  if (caller != nullptr) caller_ = caller->user_uuid;
  if (auto admitted = Router::admit(*match, head, caller); !admitted) {
    co_return co_await refuse(admitted.error(), match->allow);
  }
  if (match->route == nullptr) {
    Response options{.status = 204};
    options.headers.emplace_back("Allow", match->allow);
    co_return co_await answer(std::move(options));
  }
  co_return co_await answer_route(std::move(*match), caller == nullptr ? &kNobody : caller);
}

// `caller` outlives the answer: it is the connection's, whose requests come one after the other, or who asked has it.
Task<HttpSession::Next> HttpSession::answer_route(Router::Match match, const Caller* caller) {
  const Peer& peer = connection_.peer();
  const auto allowed = check_body(*match.route);
  if (!allowed) co_return co_await refuse(allowed.error(), {});
  std::optional<RateLimits::Upload> upload;
  if (match.route->body == Body::bundle) {
    auto begun = services_.guard.begin_upload(peer, proof_);
    if (!begun) co_return co_await refuse(begun.error(), {});
    if (*begun) upload.emplace(std::move(**begun));
  }
  if (match.route->scope == Scope::open && match.route->method == Method::post) {
    if (auto taken = services_.guard.check_sign_in(peer, proof_); !taken) co_return co_await refuse(taken.error(), {});
  }
  Request request{.head = parser_.head(),
                  .peer = peer,
                  .caller = *caller,
                  .id = services_.ids.next(),
                  .parameters = std::move(match.parameters)};
  auto response = co_await call_route(*match.route, request);
  if (!response) co_return co_await refuse(std::move(response.error()), {});
  co_return co_await answer(std::move(*response));
}

Result<void> HttpSession::check_body(const Route& route) const {
  const Head& head = parser_.head();
  if (body_ended_ && route.body != Body::bundle) return {};
  const bool bundle = route.body == Body::bundle;
  if (!has_type(head, bundle ? "application/gzip" : "application/json")) {
    const std::string wanted = bundle ? "application/gzip" : "application/json";
    return Fail({Code::unsupported_media_type, "The body of this request has Content-Type " + wanted + ".", {}, {}});
  }
  if (head.content_length.value_or(0) > limit_of(route)) return Fail(too_large(route, limit_of(route)));
  return {};
}

Task<Result<Response>> HttpSession::call_route(const Route& route, Request& request) {
  body_limit_ = limit_of(route);
  if (route.body == Body::bundle) {
    request.read_body = [this] { return read_body_part(); };
  } else if (!body_ended_) {
    auto read = co_await read_json(request.body, body_limit_);
    if (!read) co_return Fail(read.error());
  }
  try {
    auto response = co_await route.handler(services_.context, request);
    wipe(request.body);  // it may have held a secret
    co_return response;
  } catch (const std::exception& bug) {
    services_.log.error("a route failed with an exception", {{"ROUTE", route.pattern}, {"WHAT", bug.what()}});
    co_return Fail(
        {Code::internal_error, "legerd made a mistake.", "Its log says more: journalctl --user -u legerd", {}});
  }
}

Task<Result<void>> HttpSession::read_json(std::string& body, std::size_t limit) {
  body.reserve(std::min<std::uint64_t>(limit, parser_.head().content_length.value_or(0)));
  while (true) {
    auto part = co_await read_body_part();
    if (!part) co_return Fail(part.error());
    if (part->empty()) co_return Result<void>();
    body += *part;
    wipe(*part);
  }
}

std::uint64_t HttpSession::body_deadline() const {
  const std::uint64_t by_rate = body_started_ms_ + kBodyGraceMs + body_bytes_ * 1000 / kBodyBytesPerSecond;
  return std::min(by_rate, body_progress_ms_ + kNoProgressMs);
}

Task<Result<void>> HttpSession::send_continue() {
  continue_due_ = false;
  out_ = kContinue;
  const bool sent = co_await connection_.write(out_, 0);
  if (!sent) co_return Fail(gone());
  co_return Result<void>();
}

Task<Result<std::string>> HttpSession::read_body_part() {
  std::string part;
  if (continue_due_) {
    auto sent = co_await send_continue();
    if (!sent) co_return Fail(sent.error());
  }
  if (body_paused_ms_ != 0) {
    const std::uint64_t pause = services_.loop.timers().now_ms() - std::exchange(body_paused_ms_, 0);
    body_started_ms_ += pause;
    body_progress_ms_ += pause;
  }
  while (part.empty() && !body_ended_) {
    const std::string_view input = connection_.input().substr(0, kBodyPart);
    const auto step = parser_.decode_body(input, part);
    if (!step) co_return Fail(step.error());
    connection_.consume(step->consumed);
    body_ended_ = step->ended;
    body_bytes_ += part.size();
    if (body_bytes_ > body_limit_) {
      const bool bundle = body_limit_ == kMaxBundleBody;
      co_return Fail({bundle ? Code::bundle_too_large : Code::body_too_large,
                      "The body is larger than " + std::to_string(body_limit_) + " bytes.",
                      {},
                      {}});
    }
    if (!part.empty() || body_ended_) break;
    const ClientConnection::Wait wait = co_await connection_.more_input(connection_.input().size(), body_deadline());
    if (wait == ClientConnection::Wait::ended) co_return Fail(gone());
    if (wait == ClientConnection::Wait::timed_out) co_return Fail(timed_out());
    body_progress_ms_ = services_.loop.timers().now_ms();
  }
  body_paused_ms_ = services_.loop.timers().now_ms();
  co_return part;
}

// Who was turned away, and from what; by the pattern of the route, since a path may hold anything.
void HttpSession::record_refusal(const Error& error) {
  if (!is_refusal(error.code)) return;
  const Actor actor{.user_uuid = caller_, .source = source_of(connection_.peer()), .request_id = {}};
  const std::string object = route_ == nullptr ? "" : std::string(route_->pattern);
  std::string action = std::exchange(proof_.mismatch, false) ? "token_identity_mismatch" : "request";
  AuditRecord record = services_.context.audit.record(actor, std::move(action), object);
  record.outcome = name_of(error.code);
  services_.context.audit.refused(std::move(record));
}

Task<HttpSession::Next> HttpSession::refuse(Error error, std::string allow) {
  record_refusal(error);
  co_return co_await answer(failure(error, parser_.head().path, allow));
}

Task<HttpSession::Next> HttpSession::answer(Response response) {
  const bool whole_request = body_ended_;
  const bool keep_alive = whole_request && parser_.head().keep_alive && !services_.is_stopping;
  write_head(out_, response, {.date = date(), .keep_alive = keep_alive, .http_1_0 = parser_.head().http_1_0});
  const bool with_body = parser_.head().method != Method::head && has_content(response.status);
  if (with_body) out_ += response.body;
  wipe(response.body);
  const std::ptrdiff_t taken = connection_.write_now(out_);
  bool sent = taken >= 0;
  if (sent && static_cast<std::size_t>(taken) < out_.size()) {
    sent = co_await connection_.write(out_, static_cast<std::size_t>(taken));
  }
  if (sent && with_body && response.source) sent = co_await send_parts(std::move(response.source));
  if (sent && with_body && response.live) sent = co_await send_live(std::move(*response.live));
  if (sent && with_body && response.file) sent = co_await send_body_file(std::move(*response.file));
  wipe(out_);
  if (out_.capacity() > kBodyPart) out_ = {};
  if (!sent) co_return Next::close;
  if (keep_alive) co_return Next::request;
  // What was read whole can be closed at once: nothing is left that would reset the connection under the answer.
  if (!whole_request || !connection_.input().empty()) co_await linger();
  co_return Next::close;
}

Task<bool> HttpSession::send_body_file(FileBody body) {
  const auto sent = co_await send_file(services_.loop, connection_, std::move(body));
  if (!sent) services_.log.error("an answer was broken off", {{"WHY", sent.error().message}});
  co_return sent.value_or(false);
}

Task<bool> HttpSession::send_parts(BodySource source) {
  while (true) {
    auto part = source();
    if (!part) {
      services_.log.error("an answer was broken off", {{"WHY", part.error().message}});
      co_return false;
    }
    const bool is_last = part->empty();
    const bool sent = co_await send_part(std::move(*part));
    if (!sent || is_last) co_return sent;
    co_await NextTurn{services_.loop};  // a client that reads fast would be served without a wait in between
  }
}

// One chunk, or what there is of it where the end of the body is that of the connection; an empty one is the last.
Task<bool> HttpSession::send_part(std::string part) {
  const bool chunked = !parser_.head().http_1_0;
  out_.clear();
  if (chunked) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string size;
    for (std::size_t left = part.size(); left > 0; left /= 16) size.insert(size.begin(), digits[left % 16]);
    out_ += size.empty() ? "0" : size;
    out_ += "\r\n";
  }
  out_ += part;
  if (chunked) out_ += "\r\n";
  co_return co_await connection_.write(out_, 0);
}

// Until it has ended, the client is gone, or legerd stops: that end is no fault, and the client comes again.
Task<bool> HttpSession::send_live(LiveBody body) {
  auto watch = body.watch([this] { connection_.wake(); });
  while (!services_.is_stopping) {
    auto part = body.take();
    if (!part) break;
    if (!part->empty()) {
      const bool sent = co_await send_part(std::move(*part));
      if (!sent) co_return false;
      co_await NextTurn{services_.loop};
      continue;
    }
    connection_.set_idle(true);  // a stop need not wait for it
    const std::uint64_t until = services_.loop.timers().now_ms() + kLiveSilenceMs;
    const ClientConnection::Wait wait = co_await connection_.more_input(connection_.input().size(), until);
    connection_.set_idle(false);
    if (wait == ClientConnection::Wait::ended && !services_.is_stopping) co_return false;
    if (wait != ClientConnection::Wait::timed_out) continue;
    const bool sent = co_await send_part(":\n\n");
    if (!sent) co_return false;
  }
  watch.reset();
  connection_.forget_wake();
  co_return co_await send_part({});
}

// A client that is still sending must get to see the answer: closing now would reset the connection under it.
Task<void> HttpSession::linger() {
  connection_.shut_down_writing();
  const std::uint64_t deadline = services_.loop.timers().now_ms() + kLingerMs;
  while (true) {
    connection_.consume(connection_.input().size());
    const ClientConnection::Wait wait = co_await connection_.more_input(0, deadline);
    if (wait != ClientConnection::Wait::ready) co_return;
  }
}

const std::string& HttpSession::date() {
  const std::int64_t now = services_.loop.clock().wall_seconds();
  if (now != date_second_) {
    date_second_ = now;
    date_ = http_date(now);
  }
  return date_;
}

}  // namespace leger
