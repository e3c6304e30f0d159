#pragma once

// Log lines of the daemon: with fields to the journal when standard error is the journal, as one text line otherwise.
// Made by main and handed down; any thread may write. Library code does not log, services and the daemon do, a failure
// once. Never a secret: nothing that was in a request body, an Authorization header or a secret's value is a field.

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

namespace leger {

enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };  // syslog's numbers

// `error`, `warning`, `info` or `debug`.
std::optional<LogLevel> log_level_named(std::string_view name);

class Log {
 public:
  // NAME in capitals as the journal wants it, and its value; control bytes are escaped.
  using Field = std::pair<std::string_view, std::string_view>;

  explicit Log(LogLevel most_detailed);

  void error(std::string_view message, std::initializer_list<Field> fields = {}) const;
  void warning(std::string_view message, std::initializer_list<Field> fields = {}) const;
  void info(std::string_view message, std::initializer_list<Field> fields = {}) const;
  void debug(std::string_view message, std::initializer_list<Field> fields = {}) const;

 private:
  void write(LogLevel level, std::string_view message, std::initializer_list<Field> fields) const;

  LogLevel most_detailed_;
  bool to_journal_;
};

}  // namespace leger
