#include "backend/base/log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/base/text.h"

namespace leger {
namespace {

// systemd names the journal's socket as DEVICE:INODE of standard error (systemd.exec(5), $JOURNAL_STREAM).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || fstat(STDERR_FILENO, &info) != 0) return false;
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "info";
}

}  // namespace

std::optional<LogLevel> log_level_named(std::string_view name) {
  for (const LogLevel level : {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug}) {
    if (level_name(level) == name) return level;
  }
  return std::nullopt;
}

Log::Log(LogLevel most_detailed) : most_detailed_(most_detailed), to_journal_(stderr_is_journal()) {}

void Log::error(std::string_view message, std::initializer_list<Field> fields) const {
  write(LogLevel::error, message, fields);
}
void Log::warning(std::string_view message, std::initializer_list<Field> fields) const {
  write(LogLevel::warning, message, fields);
}
void Log::info(std::string_view message, std::initializer_list<Field> fields) const {
  write(LogLevel::info, message, fields);
}
void Log::debug(std::string_view message, std::initializer_list<Field> fields) const {
  write(LogLevel::debug, message, fields);
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<Field> fields) const {
  if (level > most_detailed_) return;
  std::string line = escape_controls(message);
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += ascii_lower(name);
    line += '=';
    line += escape_controls(value);
  }
  if (!to_journal_) {
    line = "legerd: " + std::string(level_name(level)) + ": " + line + "\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
    return;
  }
  std::vector<std::string> entries{"MESSAGE=" + line, "PRIORITY=" + std::to_string(static_cast<int>(level))};
  for (const auto& [name, value] : fields) {
    entries.push_back("LEGER_" + std::string(name) + "=" + escape_controls(value));
  }
  std::vector<iovec> parts;
  parts.reserve(entries.size());
  for (std::string& entry : entries) parts.push_back({entry.data(), entry.size()});
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace leger
