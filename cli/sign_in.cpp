#include "cli/sign_in.h"

#include <cstdint>
#include <utility>

#include "backend/base/clock.h"
#include "backend/base/text.h"
#include "cli/own_node.h"
#include "cli/pkce.h"

namespace leger {
namespace {

constexpr std::int64_t kLongestSeconds = std::int64_t{10} * 366 * 86'400;  // an answer beyond is garbled

// Without scheme, as people know a server.
std::string name_of_server(const Target& target) { return target.url.substr(target.url.find("://") + 3); }

// What helps against a refusal that does not say it itself.
Error with_advice(Error error, const Target& target) {
  const std::string server = name_of_server(target);
  switch (error.code) {
    case Code::account_not_linked:
      error.message = "Your Tailscale account is not linked to " + server;
      error.action =
          "For v0.1.0: The backend accepts any authenticated Tailscale user.\n"
          "For v0.2.0: You'll need to link your account at " +
          server +
          "\n\n"
          "This error should not occur in v0.1.0. Please report if you see this.";
      return error;
    case Code::tailscale_verification_failed:
      if (error.action.empty()) {
        error.action = "Check that this device and " + server + " are in the same tailnet:\n  tailscale status";
      }
      return error;
    case Code::unavailable:
      if (error.action.empty()) {
        error.action = "Try again in a moment. If it stays, check on legerd's host:\n  tailscale status";
      }
      return error;
    case Code::rate_limit_exceeded:
      if (error.action.empty()) error.action = "Wait a minute, then try again:\n  leger auth login";
      return error;
    default:
      return error;
  }
}

Json claims_of(const NodeStatus& node) {
  return Json{{"tailscale",
               {{"user_id", std::to_string(node.user_id)},
                {"login_name", node.login_name},
                {"device_id", node.stable_id},
                {"device_hostname", node.hostname},
                {"tailnet", node.tailnet}}},
              {"cli_version", LEGER_VERSION}};
}

Error tagged(const NodeStatus& node) {
  return {Code::tailscale_verification_failed,
          "This device is tagged (" + escape_controls(node.tags.front()) + "), so no person stands behind it.",
          "Sign in from a device of your own, or use legerd's socket on its host.",
          {}};
}

int sign_in_by_tailnet(const Context& context) {
  Output& output = context.output;
  const auto node = own_node(context.io);
  if (!node) return output.fail(node.error());
  if (!node->tags.empty()) return output.fail(tagged(*node));
  // The path of the backend's dialect, whose errors say what to do.
  auto data = context.api.post("/api/auth/cli", claims_of(*node));
  if (!data) return output.fail(with_advice(data.error(), context.api.target()));
  auto signed_in = read_sign_in(context.api, *data);
  if (!signed_in) return output.fail(signed_in.error());
  if (signed_in->tailnet.empty()) signed_in->tailnet = node->tailnet;
  return keep_sign_in(context, context.api.target().url, *std::move(signed_in));
}

int sign_in_over_socket(const Context& context) {
  Output& output = context.output;
  const Pkce pkce = make_pkce();
  const auto code = ask_owner_code(context.api, pkce.challenge);
  if (!code) return output.fail(code.error());
  auto signed_in = exchange_code(context.api, code->code, pkce.verifier.reveal());
  if (!signed_in) return output.fail(signed_in.error());
  signed_in->auth.socket = context.api.target().unix_socket;
  return keep_sign_in(context, code->url, *std::move(signed_in));
}

}  // namespace

int auth_login(const Context& context) {
  const auto fine = check_auth(context.io);
  if (!fine) return context.output.fail(fine.error());
  return context.api.target().is_socket() ? sign_in_over_socket(context) : sign_in_by_tailnet(context);
}

Result<SignedIn> read_sign_in(const ApiClient& api, Json& data) {
  const auto token = data.find("token");
  if (token == data.end() || !token->is_string()) return Fail(api.garbled("it sends no token"));
  auto& token_text = token->get_ref<std::string&>();
  SignedIn result{.auth = {.token = Secret(token_text)}};
  wipe(token_text);
  const auto expires_in = integer_field(data, "expires_in");
  const auto user_uuid = text_field(data, "user_uuid");
  const auto user = data.find("user");
  const bool lasts = expires_in && *expires_in > 0 && *expires_in <= kLongestSeconds;
  const bool is_bearer = equal_ignoring_case(text_field(data, "token_type").value_or("Bearer"), "Bearer");
  if (!is_token(result.auth.token.reveal()) || !is_bearer || !lasts || !user_uuid || user == data.end()) {
    return Fail(api.garbled("what it sends is no sign-in"));
  }
  result.auth.expires_s = SystemClock().wall_seconds() + *expires_in;
  result.auth.user_uuid = *user_uuid;
  result.auth.user_email = email_of(*user);
  result.tailnet = text_field(*user, "tailnet").value_or("");
  return result;
}

Result<SignedIn> exchange_code(ApiClient& api, std::string_view code, std::string_view verifier) {
  auto data = api.post("/api/auth/exchange", Json{{"code", code}, {"verifier", verifier}});
  if (!data) return Fail(data.error());
  return read_sign_in(api, *data);
}

Result<OwnerCode> ask_owner_code(ApiClient& api, const std::string& challenge) {
  const auto data = api.post("/api/auth/code", Json{{"challenge", challenge}});
  if (!data) return Fail(data.error());
  const auto code = text_field(*data, "code");
  if (!code) return Fail(api.garbled("it sends no code"));
  const auto url = text_field(*data, "url");
  if (!url) {
    return Fail({Code::unavailable,
                 "legerd has no TCP door open, so there is nothing to sign in to.",
                 "On its socket no sign-in is needed. To open a door, write into legerd.toml and restart legerd:\n"
                 "  listen = [\"127.0.0.1:8787\"]",
                 {}});
  }
  const auto door = parse_target(*url, "The address");
  if (!door || door->is_socket()) return Fail(api.garbled("the address of its TCP door is none"));
  return OwnerCode{*code, door->url};
}

int keep_sign_in(const Context& context, const std::string& url, SignedIn signed_in) {
  Output& output = context.output;
  Json data{{"server", url},
            {"user_email", signed_in.auth.user_email},
            {"user_uuid", signed_in.auth.user_uuid},
            {"tailnet", signed_in.tailnet},
            {"expires_at", rfc3339(signed_in.auth.expires_s)}};
  if (signed_in.tailnet.empty()) data.erase("tailnet");
  const auto stored = store_auth(context.io, url, std::move(signed_in.auth));
  if (!stored) return output.fail(stored.error());
  output.data(data);
  output.success("Authenticated as " + shown(data, "user_email"));
  output.line("  User UUID: " + shown(data, "user_uuid"));
  output.line("  Tailnet: " + shown(data, "tailnet"));
  output.line("  Token expires: " + shown(data, "expires_at"));
  return kDone;
}

std::string email_of(const Json& user) {
  for (const char* name : {"tailscale_email", "email"}) {
    if (const auto text = text_field(user, name); text && !text->empty()) return *text;
  }
  return "";
}

}  // namespace leger
