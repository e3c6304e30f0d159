#pragma once

// Everything that leger says. Two styles: text for people, and JSON for programs, where standard output carries the
// data alone. Commands call both data() and the text functions; the one that is not of the style does nothing.
// Escapes what could steer a terminal; only bytes() writes what it is given. Owned by run(), one thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/json.h"
#include "cli/io.h"

namespace leger {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

enum class Style { text, json };
enum class Colour { none, green, red, yellow, cyan };

struct Cell {
  // Implicit, so that a row is written as its texts.
  Cell(std::string cell_text, Colour cell_colour = Colour::none) : text(std::move(cell_text)), colour(cell_colour) {}
  std::string text;
  Colour colour;
};
using Row = std::vector<Cell>;

class Output {
 public:
  // `io` outlives the output.
  Output(const Io& io, Style style);

  bool is_json() const { return style_ == Style::json; }

  // Text style: one line; newlines within `text` are kept, other control bytes are escaped.
  void line(std::string_view text);
  // Text style: `✓ text`.
  void success(std::string_view text);
  // Text style: one line that tells how things stand.
  void verdict(std::string_view text, Colour colour);
  // Text style: rows with aligned columns.
  void table(const std::vector<Row>& rows);
  // Text style: one line of somebody's file. On a terminal control bytes other than tabs are escaped, elsewhere the
  // line goes out as it is, for other programs.
  void content(std::string_view text, Colour colour);
  // JSON style: the value on one line, in ASCII, so that nothing in it steers a terminal.
  void data(const Json& value);
  // Either style: exactly these bytes.
  void bytes(std::string_view bytes);

  // To standard error: what is wrong, what there is to list, what to do. Each gives the exit code of its kind.
  int fail(const Error& error);
  int usage(const Error& error);
  void warning(std::string_view text);
  void note(std::string_view text);
  // To standard error, where the user looks while standard output is redirected.
  void prompt(std::string_view text);

  // Text style, and only where standard error is a terminal that can: shows `text` in the place of what the last call
  // showed. Empty: takes it away.
  void progress(std::string_view text);

  // Whether progress() shows anything, and what line() writes is on the same terminal.
  bool is_live() const;

  // What a no is to the command that asks: an end like another, or a failure, where what follows in a script stands on
  // what was asked about.
  enum class No { ends, fails };

  // Asks `question` on the terminal. Nothing where the user agrees; else the exit code to leave with: 0 or 1 after a
  // no, 2 where there is no terminal, with the advice to give `flag`.
  std::optional<int> unless_confirmed(std::string_view question, std::string_view flag, No no = No::ends);

  // One line of standard input, asked for where that is a terminal; without its newline, at most 1000 bytes.
  std::string ask(std::string_view question);

  // `exit`, or 1 and a message where standard output did not take everything.
  int finish(int exit);

 private:
  void write_out(std::string_view bytes);
  void write_err(std::string_view text);
  std::string painted(std::string_view text, Colour colour) const;

  const Io& io_;
  Style style_;
  bool is_terminal_;
  bool colours_;
  int out_problem_ = 0;  // errno of the first write to standard output that failed
};

// `"name"`, its control bytes escaped.
std::string in_quotes(std::string_view name);

// A field for people: text escaped, a number in decimal, `-` where it is absent.
std::string shown(const Json& object, const char* name);

}  // namespace leger
