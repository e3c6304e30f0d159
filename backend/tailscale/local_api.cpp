#include "backend/tailscale/local_api.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/base/json.h"
#include "backend/base/text.h"

namespace leger {
namespace {

// The name that tailscaled wants to be called by; it refuses others, so that no web page reaches it
// (apitype.LocalAPIHost).
constexpr const char* kBase = "http://local-tailscaled.sock/localapi/v0/";
constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::size_t kMostCertificateBytes = 256 << 10;
constexpr std::uint64_t kPatienceMs = 2'000;
constexpr std::uint64_t kCertificatePatienceMs = 120'000;
constexpr std::uint32_t kMostFailures = 3;
constexpr std::uint64_t kClosedMs = 5'000;
constexpr std::size_t kMostShown = 300;
constexpr const char* kStart = "Start Tailscale:\n  sudo tailscale up\n\nVerify status:\n  tailscale status";
constexpr const char* kAllowCertificates =
    "Enable HTTPS certificates in the admin console (https://login.tailscale.com/admin/dns), and let this account ask "
    "for them:\n  sudo tailscale set --operator=$USER\nor name it by TS_PERMIT_CERT_UID in /etc/default/tailscaled.";

HttpRequest request_for(const std::string& path, const std::string& socket) {
  HttpRequest request;
  request.url = kBase + path;
  request.unix_socket = socket;
  request.max_body_bytes = kMostBytes;
  request.connect_timeout_ms = kPatienceMs;
  request.timeout_ms = kPatienceMs;
  return request;
}

// What tailscaled says when it says no, fit to be shown.
std::string words(const HttpResponse& response) {
  std::string_view text = std::string_view(response.body).substr(0, kMostShown);
  while (text.ends_with('\n')) text.remove_suffix(1);
  return " with status " + std::to_string(response.status) + (text.empty() ? "." : ": " + escape_controls(text));
}

Fail refused(const HttpResponse& response) {
  return Fail({Code::unavailable,
               "tailscaled refuses to answer" + words(response),
               "See what it says:\n  journalctl -u tailscaled",
               {}});
}

Result<Json> json_of(const HttpResponse& response) {
  auto json = parse_reply(response.body, "tailscaled", kMostBytes);
  if (!json) return Fail(garbled_answer("its JSON"));
  return json;
}

}  // namespace

LocalApi::LocalApi(Loop& loop, HttpClient& http, std::string socket)
    : loop_(loop), http_(http), socket_(std::move(socket)) {}

void LocalApi::note(Outcome outcome) {
  if (outcome == Outcome::answered) {
    failures_ = 0;
    return;
  }
  failures_ = std::min(failures_ + 1, kMostFailures);
  closed_until_ms_ = loop_.timers().now_ms() + kClosedMs;
}

Error LocalApi::no_answer(const Error& why) const {
  // The HTTP client names the socket too.
  std::string_view reason = why.message;
  const std::string known = "No answer from " + socket_ + ": ";
  if (reason.starts_with(known)) reason.remove_prefix(known.size());
  return {Code::unavailable, "tailscaled does not answer at " + socket_ + ": " + std::string(reason), kStart, {}};
}

Task<Result<HttpResponse>> LocalApi::ask(std::string path) {
  if (failures_ == kMostFailures) {
    const std::uint64_t now = loop_.timers().now_ms();
    if (now < closed_until_ms_) {
      co_return Fail(no_answer({Code::unavailable, "it failed several times and is asked again in a moment.", {}, {}}));
    }
    closed_until_ms_ = now + kClosedMs;  // this one tries it for all others
  }
  auto response = co_await http_.send(request_for(path, socket_));
  if (!response) {
    note(Outcome::failed);
    co_return Fail(no_answer(response.error()));
  }
  co_return response;
}

Task<Result<WhoIs>> LocalApi::whois(std::string address) {
  const auto response = co_await ask("whois?proto=tcp&addr=" + percent_encode(address));
  if (!response) co_return Fail(response.error());
  if (response->status == 404) {
    note(Outcome::answered);
    const std::string message = "tailscaled knows no device at " + escape_controls(address) + ".";
    co_return Fail({Code::tailscale_verification_failed, message, "Check Tailscale status: tailscale status", {}});
  }
  if (response->status != 200) {
    note(Outcome::answered);
    co_return refused(*response);
  }
  const std::int64_t now = loop_.clock().wall_seconds();
  auto who = json_of(*response).and_then([now](const Json& reply) { return read_whois(reply, now); });
  note(Outcome::answered);  // what one node is called must not close tailscaled for all others
  co_return who;
}

Task<Result<NodeStatus>> LocalApi::status() {
  const auto response = co_await ask("status?peers=false");
  if (!response) co_return Fail(response.error());
  if (response->status != 200) {
    note(Outcome::answered);
    co_return refused(*response);
  }
  auto status = json_of(*response).and_then([](const Json& reply) { return read_status(reply); });
  note(Outcome::answered);
  if (!status || !status->is_running() || status->user_id == 0 || !status->login_name.empty()) co_return status;
  // Asking for all peers would give the user too, and megabytes in a large tailnet.
  auto self = co_await whois(status->ips.front());
  if (!self) {
    self.error().code = Code::unavailable;
    co_return Fail(self.error());
  }
  if (self->user_id != status->user_id) co_return Fail(garbled_answer("Self.UserID"));
  status->login_name = self->login_name;
  status->display_name = self->display_name;
  co_return status;
}

Task<Result<Secret>> LocalApi::certificate(std::string domain) {
  HttpRequest request = request_for("cert/" + percent_encode(domain) + "?type=pair", socket_);
  request.max_body_bytes = kMostCertificateBytes;
  request.timeout_ms = kCertificatePatienceMs;
  auto response = co_await http_.send(std::move(request));
  if (!response) co_return Fail(no_answer(response.error()));
  const std::string shown = escape_controls(std::string_view(domain).substr(0, kMostShown));
  if (response->status != 200) {
    const std::string message = "tailscaled refuses a certificate for " + shown + words(*response);
    co_return Fail({Code::upstream_failed, message, kAllowCertificates, {}});
  }
  Secret pair(std::move(response->body));
  const bool has_both = pair.reveal().find("PRIVATE KEY-----") != std::string_view::npos &&
                        pair.reveal().find("-----BEGIN CERTIFICATE-----") != std::string_view::npos;
  if (!has_both) {
    const std::string message = "tailscaled gave no key and certificate for " + shown + ".";
    co_return Fail({Code::upstream_failed, message, "See what it says:\n  journalctl -u tailscaled", {}});
  }
  co_return std::move(pair);
}

}  // namespace leger
