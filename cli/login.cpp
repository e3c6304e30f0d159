#include "cli/login.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/base/text.h"
#include "cli/browser.h"
#include "cli/loopback_listener.h"
#include "cli/own_node.h"
#include "cli/pkce.h"
#include "cli/sign_in.h"

namespace leger {
namespace {

constexpr std::size_t kMaxReason = 32;
constexpr std::size_t kMaxCode = 256;

// What this attempt knows and nobody else.
struct Attempt {
  Pkce pkce = make_pkce();
  std::string state = random_text();
};

// The page that asks the person; `redirect_uri` empty: the page shows the code.
std::string page_address(const Context& context, const Attempt& attempt, const std::string& redirect_uri) {
  const auto node = own_node(context.io);  // only so that the page can say which device asks
  std::string address =
      context.api.target().url + "/auth/callback?device_id=" + percent_encode(node ? node->stable_id : "");
  if (!redirect_uri.empty()) address += "&redirect_uri=" + percent_encode(redirect_uri);
  return address + "&state=" + attempt.state + "&challenge=" + attempt.pkce.challenge;
}

std::string result_page(const Context& context, std::string_view result) {
  return context.api.target().url + "/auth/callback?result=" + std::string(result);
}

// The word for the page: legerd's own reason, where it is one.
std::string reason_of(const Error& error) {
  const Json details = Json::parse(error.details, nullptr, false);
  const auto reason = details.is_object() ? text_field(details, "reason") : std::nullopt;
  const auto fine = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const bool is_word = reason && !reason->empty() && reason->size() <= kMaxReason && std::ranges::all_of(*reason, fine);
  return is_word ? *reason : "failed";
}

Error with_next_step(Error error) {
  if (error.action.empty()) error.action = "Start over:\n  leger login";
  return error;
}

// Why the page hands over no code; nothing where it does.
std::optional<Error> refusal_of(const Query& query) {
  if (query.contains("error")) {
    const std::string word = query.at("error");
    if (word == "access_denied") {
      return Error{Code::insufficient_permissions, "The sign-in was declined in the browser.", {}, {}};
    }
    return with_next_step({Code::upstream_failed, "The sign-in failed in the browser: " + in_quotes(word), {}, {}});
  }
  if (query.contains("code")) return std::nullopt;
  return with_next_step({Code::upstream_failed, "The browser brought no code.", {}, {}});
}

// The first answer with our state; any other one is none of ours, and we wait on.
Result<Query> wait_for_browser(const Context& context, LoopbackListener& listener, const std::string& state) {
  for (;;) {
    auto query = listener.next();
    if (!query) return query;
    const auto found = query->find("state");
    if (found != query->end() && found->second == state) return query;
    listener.redirect(result_page(context, "wrong_state"));
  }
}

int login_by_browser(const Context& context, std::vector<std::string> browser) {
  Output& output = context.output;
  const Attempt attempt;
  auto listener = LoopbackListener::open(context.io.patience);
  if (!listener) return output.fail(listener.error());
  const std::string address = page_address(context, attempt, listener->address());
  output.prompt("Open this address in your browser if it does not open by itself:\n\n  " + address + "\n\n");
  const auto opened = open_browser(context.io, std::move(browser), address);
  if (!opened) output.warning(opened.error().message);
  const auto query = wait_for_browser(context, *listener, attempt.state);
  if (!query) return output.fail(query.error());
  if (const auto refused = refusal_of(*query)) {
    const bool declined = refused->code == Code::insufficient_permissions;
    listener->redirect(result_page(context, declined ? "access_denied" : "failed"));
    return output.fail(*refused);
  }
  auto signed_in = exchange_code(context.api, query->at("code"), attempt.pkce.verifier.reveal());
  if (!signed_in) {
    listener->redirect(result_page(context, reason_of(signed_in.error())));
    return output.fail(with_next_step(signed_in.error()));
  }
  const int exit = keep_sign_in(context, context.api.target().url, *std::move(signed_in));
  listener->redirect(result_page(context, exit == kDone ? "success" : "failed"));
  return exit;
}

std::string without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const std::size_t end = text.find_last_not_of(kBlanks);
  return std::string(text.substr(begin, end == std::string_view::npos ? 0 : end + 1 - begin));
}

int login_by_typing(const Context& context) {
  Output& output = context.output;
  const Attempt attempt;
  output.prompt("Open this address in a browser, then type the code that the page shows:\n\n  " +
                page_address(context, attempt, "") + "\n\n");
  const std::string code = without_blanks(output.ask("Code: "));
  if (code.empty() || code.size() > kMaxCode) {
    return output.fail(with_next_step({Code::invalid_request, "That is no code.", {}, {}}));
  }
  auto signed_in = exchange_code(context.api, code, attempt.pkce.verifier.reveal());
  if (!signed_in) return output.fail(with_next_step(signed_in.error()));
  return keep_sign_in(context, context.api.target().url, *std::move(signed_in));
}

}  // namespace

int login(const Context& context, Browser browser) {
  if (context.api.target().is_socket()) return auth_login(context);
  const auto fine = check_auth(context.io);
  if (!fine) return context.output.fail(fine.error());
  auto found = browser == Browser::open ? find_browser(context.io) : std::nullopt;
  return found ? login_by_browser(context, *std::move(found)) : login_by_typing(context);
}

}  // namespace leger
