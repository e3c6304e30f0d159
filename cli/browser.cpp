#include "cli/browser.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "backend/base/text.h"
#include "cli/output.h"
#include "cli/program.h"

namespace leger {
namespace {

// Waits for the child's end, at most `patience_ms`. Nothing where it still runs then, as most browsers do.
std::optional<int> status_within(pid_t child, std::uint64_t patience_ms) {
  // Not glibc's wrapper, whose header clashes with <fcntl.h> in older versions.
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (handle >= 0) {
    pollfd ended{.fd = handle, .events = POLLIN, .revents = 0};
    poll(&ended, 1, static_cast<int>(patience_ms));
    close(handle);
  }
  int status = 0;
  if (waitpid(child, &status, WNOHANG) != child) return std::nullopt;
  return status;
}

Fail did_not_start(const std::string& program) {
  return Fail({Code::unavailable, "The browser did not start: " + in_quotes(program) + " failed.", {}, {}});
}

}  // namespace

std::optional<std::vector<std::string>> find_browser(const Io& io) {
  std::vector<std::string> words;
  const std::string named = io.variable("BROWSER").value_or("xdg-open");  // outlives the views of it
  for (const std::string_view word : split(named, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  // Without a display xdg-open would start a browser for terminals, which nobody would see.
  const bool has_display = io.variable("DISPLAY") || io.variable("WAYLAND_DISPLAY");
  if (words.empty() || (!io.variable("BROWSER") && !has_display)) return std::nullopt;
  const auto program = find_program(io, words.front());
  if (!program) return std::nullopt;
  words.front() = *program;
  return words;
}

Result<void> open_browser(const Io& io, std::vector<std::string> browser, const std::string& address) {
  const std::string program = browser.front();
  const auto place = std::ranges::find(browser, "%s");
  if (place == browser.end()) {
    browser.push_back(address);
  } else {
    *place = address;
  }
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return did_not_start(program);
  const auto child = start_program(io, std::move(browser), {.in = null, .out = null, .err = null}, Session::own);
  close(null);
  if (!child) return did_not_start(program);
  const auto status = status_within(*child, io.patience.browser_ms);
  if (status && *status != 0) return did_not_start(program);
  return {};
}

}  // namespace leger
