#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include "backend/base/secret.h"
#include "backend/base/text.h"
#include "cli/report.h"

namespace leger {
namespace {

// All of `bytes` to `fd`: 0, or the errno that ended it.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

// The rest of one line from `fd`, without its newline; reads no further. Up to the end where no newline comes.
std::string read_line(int fd) {
  std::string line;
  char byte = 0;
  for (;;) {
    const ssize_t count = read(fd, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || byte == '\n' || line.size() >= 1000) return line;
    line += byte;
  }
}

std::string escaped_lines(std::string_view text) {
  std::string result;
  for (const std::string_view part : split(text, '\n')) {
    if (!result.empty() || part.data() != text.data()) result += '\n';
    result += escape_controls(part);
  }
  return result;
}

// How many characters wide UTF-8 text is, every one counted once.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Json error_object(const Error& error) {
  Json object{{"code", name_of(error.code)}, {"message", error.message}};
  if (!error.action.empty()) object["action"] = error.action;
  if (!error.details.empty()) {
    Json details = Json::parse(error.details, nullptr, false);
    if (!details.is_discarded()) object["details"] = std::move(details);
  }
  return Json{{"error", std::move(object)}};
}

std::string json_line(const Json& value) { return value.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n"; }

std::string_view escape_sequence(Colour colour) {
  switch (colour) {
    case Colour::green:
      return "\x1b[32m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::cyan:
      return "\x1b[36m";
    case Colour::none:
      return "";
  }
  std::unreachable();
}

}  // namespace

Output::Output(const Io& io, Style style)
    : io_(io),
      style_(style),
      is_terminal_(isatty(io.out) == 1),
      colours_(style == Style::text && !io.variable("NO_COLOR") && io.variable("TERM") != "dumb" && is_terminal_) {}

void Output::line(std::string_view text) {
  if (!is_json()) write_out(escaped_lines(text) + "\n");
}

void Output::success(std::string_view text) {
  if (!is_json()) write_out(painted("✓", Colour::green) + " " + escaped_lines(text) + "\n");
}

void Output::verdict(std::string_view text, Colour colour) {
  if (!is_json()) write_out(painted(escaped_lines(text), colour) + "\n");
}

void Output::table(const std::vector<Row>& rows) {
  if (is_json()) return;
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width(escape_controls(row[i].text)));
    }
  }
  for (const Row& row : rows) {
    std::string text;
    std::size_t owed = 0;  // blanks before the next cell that has text, so that no line ends with blanks
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = escape_controls(row[i].text);
      if (!cell.empty()) text += std::string(std::exchange(owed, 0), ' ') + painted(cell, row[i].colour);
      owed += widths[i] - width(cell) + 2;
    }
    write_out(text + "\n");
  }
}

void Output::content(std::string_view text, Colour colour) {
  if (is_json()) return;
  std::string line(text);
  if (is_terminal_) {
    line.clear();
    for (const std::string_view part : split(text, '\t')) {
      line += (part.data() == text.data() ? "" : "\t") + escape_controls(part);
    }
  }
  write_out(painted(line, colour) + "\n");
}

void Output::data(const Json& value) {
  if (!is_json()) return;
  std::string text = json_line(value);
  write_out(text);
  wipe(text);
}

void Output::bytes(std::string_view bytes) { write_out(bytes); }

int Output::fail(const Error& error) {
  if (is_json()) {
    write_err(json_line(error_object(error)));
    return kFailed;
  }
  std::string text = escaped_lines(error.message) + "\n";
  for (const std::string& line : report_lines(error.details)) text += line + "\n";
  if (!error.action.empty()) text += "\n" + escaped_lines(error.action) + "\n";
  write_err(text);
  return kFailed;
}

int Output::usage(const Error& error) {
  fail(error);
  return kUsage;
}

void Output::warning(std::string_view text) {
  write_err(is_json() ? json_line(Json{{"warning", text}}) : "Warning: " + escaped_lines(text) + "\n");
}

void Output::note(std::string_view text) {
  write_err(is_json() ? json_line(Json{{"note", text}}) : "Note: " + escaped_lines(text) + "\n");
}

void Output::progress(std::string_view text) {
  if (is_json() || io_.variable("TERM") == "dumb" || isatty(io_.err) != 1) return;
  write_err("\r" + escape_controls(text) + "\x1b[K");
}

bool Output::is_live() const {
  return !is_json() && is_terminal_ && io_.variable("TERM") != "dumb" && isatty(io_.err) == 1;
}

void Output::prompt(std::string_view text) { write_err(escaped_lines(text)); }

std::optional<int> Output::unless_confirmed(std::string_view question, std::string_view flag, No no) {
  if (isatty(io_.in) != 1 || isatty(io_.err) != 1) {
    return usage({Code::confirmation_required,
                  std::string(question) + " There is no terminal to ask on.",
                  "Add " + std::string(flag) + " to go ahead without being asked.",
                  {}});
  }
  prompt(std::string(question) + " [y/N] ");
  const std::string answer = ascii_lower(read_line(io_.in));
  if (answer == "y" || answer == "yes") return std::nullopt;
  if (no == No::fails) return fail({Code::confirmation_required, "Cancelled; nothing was done.", {}, {}});
  line("Cancelled");
  return kDone;
}

std::string Output::ask(std::string_view question) {
  if (isatty(io_.in) == 1) prompt(question);
  return read_line(io_.in);
}

int Output::finish(int exit) {
  if (out_problem_ == 0) return exit;
  return fail(system_error("Standard output cannot be written", out_problem_));
}

void Output::write_out(std::string_view bytes) {
  if (out_problem_ == 0) out_problem_ = write_all(io_.out, bytes);
}

// Where even standard error fails, the exit code is all that is left to tell.
void Output::write_err(std::string_view text) { write_all(io_.err, text); }

std::string Output::painted(std::string_view text, Colour colour) const {
  if (!colours_ || colour == Colour::none) return std::string(text);
  return std::string(escape_sequence(colour)) + std::string(text) + "\x1b[0m";
}

std::string in_quotes(std::string_view name) { return "\"" + escape_controls(name) + "\""; }

std::string shown(const Json& object, const char* name) {
  if (const auto text = text_field(object, name); text && !text->empty()) return escape_controls(*text);
  if (const auto number = integer_field(object, name)) return std::to_string(*number);
  return "-";
}

}  // namespace leger
