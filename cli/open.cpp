#include "cli/open.h"

#include <optional>
#include <string>
#include <utility>

#include "backend/base/text.h"
#include "cli/browser.h"
#include "cli/pkce.h"
#include "cli/private_file.h"
#include "cli/sign_in.h"

namespace leger {
namespace {

// The address that the browser is started with. One that signs in whoever opens it does not belong on a command line,
// which every account of this machine can read: it stands in a page that only this one can, and that leads there.
Result<std::string> address_for_argv(const Io& io, const std::string& address) {
  const auto runtime = io.variable("XDG_RUNTIME_DIR");
  if (!runtime) return Fail({Code::unavailable, "XDG_RUNTIME_DIR is not set, so there is no private place.", {}, {}});
  const std::string folder = *runtime + "/leger";
  if (auto made = make_private_folder(folder); !made) return Fail(made.error());
  const auto lock = FolderLock::take(folder, io.patience.lock_ms);
  if (!lock) return Fail(lock.error());
  std::string target = address;
  target.replace(target.find('&'), 1, "&amp;");
  const std::string path = folder + "/open.html";
  const std::string page =
      "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Leger</title>\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<meta http-equiv=\"refresh\" content=\"0; url=" +
      target + "\">\n<p>Opening Leger…</p>\n";
  if (auto written = replace_private_file(path, page); !written) return Fail(written.error());
  return "file://" + path;
}

// Prints the address where it is not to be opened, or cannot be. `url` is what may be shown in any case.
int open_or_print(const Context& context, Browser browser, const std::string& url, const std::string& address) {
  Output& output = context.output;
  auto program = browser == Browser::open ? find_browser(context.io) : std::nullopt;
  const bool is_secret = url != address;
  if (!program) {
    output.data(Json{{"opened", false}, {"url", address}});
    output.line(address);
    if (is_secret) output.prompt("The address is good for 60 s and for one use, and signs in whoever opens it.\n");
    return kDone;
  }
  const auto argument = is_secret ? address_for_argv(context.io, address) : address;
  const auto opened =
      argument ? open_browser(context.io, *std::move(program), *argument) : Result<void>(Fail(argument.error()));
  if (!opened) {
    Error error = opened.error();
    error.action = "Print the address instead:\n  leger open --no-browser";
    return output.fail(error);
  }
  output.data(Json{{"opened", true}, {"url", url}});
  output.success("Opened " + url + " in the browser");
  return kDone;
}

}  // namespace

int open_page(const Context& context, Browser browser) {
  const Target& target = context.api.target();
  if (!target.is_socket()) return open_or_print(context, browser, target.url + "/", target.url + "/");
  const Pkce pkce = make_pkce();
  const auto code = ask_owner_code(context.api, pkce.challenge);
  if (!code) return context.output.fail(code.error());
  const std::string fragment =
      "#code=" + percent_encode(code->code) + "&verifier=" + std::string(pkce.verifier.reveal());
  return open_or_print(context, browser, code->url + "/", code->url + "/login" + fragment);
}

}  // namespace leger
