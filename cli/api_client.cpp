#include "cli/api_client.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "backend/base/text.h"
#include "cli/wait.h"

namespace leger {
namespace {

constexpr std::size_t kMaxAnswerBytes = std::size_t{8} << 20;
constexpr std::size_t kMaxErrorBytes = std::size_t{64} << 10;  // a refusal in place of a small file

// The code of the contract that stands for a status whose own code this leger does not know.
Code code_of_status(int status) {
  constexpr std::array kUsual{
      Code::invalid_request, Code::invalid_token,  Code::not_found,           Code::insufficient_permissions,
      Code::conflict,        Code::body_too_large, Code::preflight_failed,    Code::rate_limit_exceeded,
      Code::upstream_failed, Code::unavailable,    Code::insufficient_storage};
  for (const Code code : kUsual) {
    if (status_of(code) == status) return code;
  }
  return Code::internal_error;
}

// The error of a failure envelope: `error` is an object in the backend's dialect, the code alone in the CLI's.
std::optional<Error> error_of(const Json& envelope, int status) {
  const auto found = envelope.find("error");
  if (found == envelope.end()) return std::nullopt;
  const Json& texts = found->is_object() ? *found : envelope;
  const auto name = text_field(texts, found->is_object() ? "code" : "error");
  if (!name) return std::nullopt;
  Error error;
  const auto code = code_named(*name);
  error.code = code.value_or(code_of_status(status));
  error.message = escape_controls(text_field(texts, "message").value_or(""));
  if (error.message.empty()) error.message = "legerd refuses: " + escape_controls(*name) + ".";
  if (!code && text_field(texts, "message")) error.message += " (" + escape_controls(*name) + ")";
  error.action = escape_controls(text_field(texts, "action").value_or(""));
  if (const auto details = texts.find("details"); details != texts.end() && !details->is_null()) {
    error.details = dump(*details);
  }
  return error;
}

}  // namespace

ApiClient::ApiClient(Target target, const Patience& patience, std::optional<Secret> token)
    : target_(std::move(target)), patience_(patience), token_(std::move(token)) {}

HttpRequest ApiClient::prepare(std::string method, const std::string& path, std::uint64_t extra_ms) const {
  HttpRequest http{.method = std::move(method),
                   .url = target_.url + path,
                   .unix_socket = target_.unix_socket,
                   .headers = {"Accept: application/json"},
                   .body = std::nullopt,
                   .max_body_bytes = kMaxAnswerBytes,
                   .connect_timeout_ms = patience_.answer_ms,
                   .timeout_ms = patience_.answer_ms + extra_ms,
                   .on_upload = {},
                   .on_part = {},
                   .on_received = {}};
  if (token_) http.headers.push_back("Authorization: Bearer " + std::string(token_->reveal()));
  return http;
}

Result<ApiAnswer> ApiClient::send(ApiRequest request) {
  HttpRequest http = prepare(std::move(request.method), request.path, request.extra_ms);
  http.on_upload = std::move(request.on_upload);
  if (!request.content_type.empty()) {
    http.headers.push_back("Content-Type: " + request.content_type);
    http.body = std::string(request.body.reveal());
  }
  auto response = wait_for(*loop_, http_->send(std::move(http)));
  if (!response) return Fail(no_answer(response.error()));
  auto answer = read(*response);
  wipe(response->body);  // it may have been a secret's value
  return answer;
}

Result<std::string> ApiClient::fetch(BytesRequest request) {
  HttpRequest http = prepare("GET", request.path, request.extra_ms);
  http.headers.front() = "Accept: */*";
  http.max_body_bytes = std::max(request.max_bytes, kMaxErrorBytes);
  http.on_received = std::move(request.on_received);
  auto response = wait_for(*loop_, http_->send(std::move(http)));
  if (!response) return Fail(no_answer(response.error()));
  if (response->status == 200 && response->body.size() > request.max_bytes) {
    return Fail(garbled("its answer is longer than " + std::to_string(request.max_bytes) + " bytes"));
  }
  if (response->status == 200) return std::move(response->body);
  const auto refused = read(*response);
  return Fail(refused ? garbled("its answer with status " + std::to_string(response->status) + " holds no file")
                      : refused.error());
}

Result<void> ApiClient::stream(StreamRequest request) {
  HttpRequest http = prepare("GET", request.path, 0);
  http.headers.front() = "Accept: text/event-stream";
  if (!request.last_event_id.empty()) http.headers.push_back("Last-Event-ID: " + request.last_event_id);
  http.timeout_ms = request.silence_ms;
  http.on_part = std::move(request.on_bytes);
  const auto response = wait_for(*loop_, http_->send(std::move(http)));
  if (!response) return Fail(no_answer(response.error()));
  if (response->status == 200) return {};
  const auto refused = read(*response);
  return Fail(refused ? garbled("its answer with status " + std::to_string(response->status) + " has no events")
                      : refused.error());
}

Result<ApiAnswer> ApiClient::read(const HttpResponse& response) const {
  auto envelope = parse_reply(response.body, target_.shown(), kMaxAnswerBytes);
  const std::string status = std::to_string(response.status);
  if (!envelope || !envelope->is_object()) return Fail(garbled("its answer with status " + status + " is not JSON"));
  const auto success = bool_field(*envelope, "success");
  const auto data = envelope->find("data");
  if (response.status / 100 == 2 && success == true && data != envelope->end()) {
    return ApiAnswer{response.status, std::move(*data)};
  }
  if (response.status >= 400 && success == false) {
    if (auto error = error_of(*envelope, response.status)) return Fail(with_sign_in_advice(*std::move(error)));
  }
  return Fail(garbled("its answer with status " + status + " has no envelope"));
}

Result<Json> ApiClient::get(std::string path) {
  auto answer = send({.method = "GET", .path = std::move(path)});
  if (!answer) return Fail(answer.error());
  return std::move(answer->data);
}

Result<Json> ApiClient::remove(std::string path, std::uint64_t extra_ms) {
  auto answer = send({.method = "DELETE", .path = std::move(path), .extra_ms = extra_ms});
  if (!answer) return Fail(answer.error());
  return std::move(answer->data);
}

Result<Json> ApiClient::post(std::string path, const Json& body, std::uint64_t extra_ms) {
  auto answer = send({.method = "POST",
                      .path = std::move(path),
                      .content_type = "application/json",
                      .body = Secret(dump(body)),
                      .extra_ms = extra_ms});
  if (!answer) return Fail(answer.error());
  return std::move(answer->data);
}

void ApiClient::close() {
  http_.reset();
  loop_.reset();
}

// The stored token looked good here: only a new one helps.
Error ApiClient::with_sign_in_advice(Error error) const {
  if (error.code != Code::invalid_token || !token_) return error;
  error.action = "Re-authenticate:\n  leger auth login\n\nYour token is valid for 30 days from authentication.";
  return error;
}

Error ApiClient::garbled(std::string_view what) const {
  return {Code::upstream_failed,
          target_.shown() + " does not answer as legerd does: " + std::string(what) + ".",
          "Check that legerd is what answers there, and that it is as new as this leger: leger --version",
          {}};
}

Error ApiClient::no_answer(const Error& why) const {
  const std::string action = target_.unix_socket.empty()
                                 ? "Check the address, and that legerd listens there."
                                 : "Is legerd running? Start it:\n  systemctl --user start legerd.socket";
  return {Code::unavailable, why.message, action, {}};
}

}  // namespace leger
