#include <optional>
#include <utility>

#include "backend/base/json.h"
#include "daemon/envelope.h"
#include "daemon/guard.h"
#include "daemon/request_fields.h"
#include "daemon/routes.h"

namespace leger {
namespace {

constexpr std::size_t kMaxClaim = 255;  // bytes

Fail invalid(std::string message) { return Fail({Code::invalid_request, std::move(message), {}, {}}); }

Error no_account() {
  return {Code::invalid_token, "The account of this session is gone.", "Sign in again: leger auth login", {}};
}

// A text that may be absent; invalid_request for another type or too many bytes.
Result<std::string> optional_text(const Json& object, const char* name) {
  if (!object.contains(name)) return std::string();
  auto text = text_field(object, name);
  if (text && text->size() <= kMaxClaim) return std::move(*text);
  return invalid(std::string("The field \"") + name + "\" must be a text of at most 255 bytes.");
}

struct ClaimNames {
  const char* device_id;
  const char* email;
  const char* hostname;
};

Result<Claims> read_claims(const Json& object, const ClaimNames& names) {
  auto user_id = optional_text(object, "user_id");
  auto device_id = optional_text(object, names.device_id);
  auto email = optional_text(object, names.email);
  auto hostname = optional_text(object, names.hostname);
  auto tailnet = optional_text(object, "tailnet");
  for (const auto* text : {&user_id, &device_id, &email, &hostname, &tailnet}) {
    if (!*text) return Fail(text->error());
  }
  if (user_id->empty()) return invalid("The field \"user_id\" is missing.");
  if (user_id->starts_with('u')) user_id->erase(0, 1);
  return Claims{.user_id = std::move(*user_id),
                .device_id = std::move(*device_id),
                .email = std::move(*email),
                .notes = {.hostname = std::move(*hostname), .cli_version = {}}};
}

// Both forms of the body, the first seed's and the second's.
Result<Claims> claims_of(const Request& request) {
  auto body =
      read_object(request, {"device_id", "user_id", "email", "tailnet", "hostname", "tailscale", "cli_version"});
  if (!body) return Fail(body.error());
  const auto nested = body->find("tailscale");
  if (nested == body->end()) return read_claims(*body, {"device_id", "email", "hostname"});
  if (!nested->is_object()) return invalid("The field \"tailscale\" must be an object.");
  auto claims = read_claims(*nested, {"device_id", "login_name", "device_hostname"});
  if (!claims) return claims;
  auto version = optional_text(*body, "cli_version");
  if (!version) return Fail(version.error());
  claims->notes.cli_version = std::move(*version);
  return claims;
}

Response token_response(const SignedIn& signed_in) {
  const User& user = signed_in.user;
  const Json name = user.display_name ? Json(*user.display_name) : Json();
  Response response = success({{"token", signed_in.issued.token.reveal()},
                               {"token_type", "Bearer"},
                               {"expires_in", kSessionSeconds},
                               {"user_uuid", user.user_uuid},
                               {"user",
                                {{"user_uuid", user.user_uuid},
                                 {"email", user.tailscale_email},
                                 {"tailscale_email", user.tailscale_email},
                                 {"display_name", name},
                                 {"tailnet", user.tailnet}}}});
  response.cache_control = "no-store";
  return response;
}

Json optional_json(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json describe(const User& user) {
  return {{"user_uuid", user.user_uuid},
          {"tailscale_user_id", user.tailscale_user_id},
          {"email", user.tailscale_email},
          {"tailscale_email", user.tailscale_email},
          {"tailnet", user.tailnet},
          {"display_name", optional_json(user.display_name)},
          {"created_at", user.created_at},
          {"last_seen", user.last_seen},
          {"last_device_id", optional_json(user.last_device_id)},
          {"last_device_hostname", optional_json(user.last_device_hostname)},
          {"cli_version", optional_json(user.cli_version)},
          {"total_authentications", user.total_authentications}};
}

Json describe(const Session& session, const Caller& caller) {
  return {{"id", session.id},
          {"binding", session.binding},
          {"hostname", session.hostname},
          {"client", session.client},
          {"created_at", session.created_at},
          {"expires_at", session.expires_at},
          {"current", session.id == caller.session_id}};
}

// A sign-in that is refused leaves a line; there are as many as the limit of sign-ins lets through.
Fail refused(RouteContext& context, const Request& request, const Error& error) {
  context.log.warning("a sign-in was refused", {{"WHY", error.message}, {"PEER", request.peer.ip}});
  return Fail(error);
}

// A page is known by the headers that its browser adds to what it sends.
std::string client_of(const Head& head) {
  return head.header("sec-fetch-site") || head.header("origin") ? "web" : "cli";
}

}  // namespace

Task<Result<Response>> sign_in_cli(RouteContext& context, Request& request) {
  auto claims = claims_of(request);
  if (!claims) co_return Fail(claims.error());
  const auto signed_in =
      co_await context.sign_ins.by_claims(actor_of(request), address_of(request.peer), std::move(*claims));
  if (!signed_in) co_return refused(context, request, signed_in.error());
  co_return token_response(*signed_in);
}

Task<Result<Response>> sign_in_web(RouteContext& context, Request& request) {
  const auto body = read_object(request, {});
  if (!body) co_return Fail(body.error());
  const auto signed_in = co_await context.sign_ins.by_browser(actor_of(request), address_of(request.peer));
  if (!signed_in) co_return refused(context, request, signed_in.error());
  co_return token_response(*signed_in);
}

Task<Result<Response>> get_peer(RouteContext& context, Request& request) {
  const auto identity = co_await context.identities.prove(address_of(request.peer));
  if (!identity) co_return Fail(identity.error());
  Response response = success({{"login_name", identity->login_name},
                               {"display_name", identity->display_name},
                               {"hostname", identity->hostname},
                               {"tailnet", identity->tailnet}});
  response.cache_control = "no-store";
  co_return response;
}

Task<Result<Response>> issue_code(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"challenge"});
  if (!body) co_return Fail(body.error());
  auto challenge = optional_text(*body, "challenge");
  if (!challenge) co_return Fail(challenge.error());
  const Caller& caller = request.caller;
  const auto code = context.sign_ins.issue_code(caller.user_uuid, caller.binding, std::move(*challenge));
  if (!code) co_return Fail(code.error());
  Json data{{"code", *code}, {"expires_in", kCodeSeconds}};
  if (std::string url = context.browser_url(); !url.empty()) data["url"] = std::move(url);
  Response response = success(data);
  response.cache_control = "no-store";
  co_return response;
}

Task<Result<Response>> exchange_code(RouteContext& context, Request& request) {
  const auto body = read_object(request, {"code", "verifier"});
  if (!body) co_return Fail(body.error());
  auto code = optional_text(*body, "code");
  if (!code) co_return Fail(code.error());
  auto verifier = optional_text(*body, "verifier");
  if (!verifier) co_return Fail(verifier.error());
  const auto signed_in = co_await context.sign_ins.exchange(
      actor_of(request), address_of(request.peer), std::move(*code), std::move(*verifier), client_of(request.head));
  if (!signed_in) co_return refused(context, request, signed_in.error());
  co_return token_response(*signed_in);
}

Task<Result<Response>> get_me(RouteContext& context, Request& request) {
  const Caller& caller = request.caller;
  const auto user = context.accounts.find(caller.user_uuid);
  if (!user) co_return Fail(user.error());
  if (!*user) co_return Fail(no_account());
  Json session;  // null at the Unix socket
  if (!caller.session_id.empty()) {
    const auto found = context.sessions.find(caller.user_uuid, caller.session_id);
    if (!found) co_return Fail(found.error());
    session = {{"id", found->id},
               {"binding", found->binding},
               {"created_at", found->created_at},
               {"expires_at", found->expires_at}};
  }
  Json roles = Json::array({"user"});
  if (caller.is_operator) roles.push_back("operator");
  co_return success({{"user", describe(**user)}, {"session", std::move(session)}, {"roles", std::move(roles)}});
}

Task<Result<Response>> log_out(RouteContext& context, Request& request) {
  const Caller& caller = request.caller;
  if (caller.session_id.empty()) {
    co_return Fail({Code::invalid_request, "The Unix socket has no session to be ended.", {}, {}});
  }
  const auto revoked = co_await context.sessions.revoke(actor_of(request), caller.session_id);
  if (!revoked) co_return Fail(revoked.error());
  co_return success({{"id", caller.session_id}, {"revoked", true}});
}

Task<Result<Response>> list_sessions(RouteContext& context, Request& request) {
  const auto sessions = context.sessions.list(request.caller.user_uuid);
  if (!sessions) co_return Fail(sessions.error());
  Json list = Json::array();
  for (const Session& session : *sessions) list.push_back(describe(session, request.caller));
  co_return success({{"sessions", std::move(list)}});
}

Task<Result<Response>> revoke_session(RouteContext& context, Request& request) {
  std::string id = request.parameters.front();
  const auto revoked = co_await context.sessions.revoke(actor_of(request), id);
  if (!revoked) co_return Fail(revoked.error());
  co_return success({{"id", std::move(id)}, {"revoked", true}});
}

}  // namespace leger
