#include "backend/base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

namespace leger {
namespace {

// What `work` writes to standard error.
std::string standard_error_of(const std::function<void()>& work) {
  const int file = memfd_create("log", MFD_CLOEXEC);
  const int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
  dup2(file, STDERR_FILENO);
  work();
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::string text(65'536, '\0');
  const auto size = pread(file, text.data(), text.size(), 0);
  close(file);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

TEST_CASE("a line with its fields") {
  CHECK(standard_error_of([] { Log(LogLevel::info).warning("it is so", {{"UNIT", "a.service"}, {"TRY", "2"}}); }) ==
        "legerd: warning: it is so unit=a.service try=2\n");
}

TEST_CASE("neither a message nor a field can end the line or steer a terminal") {
  CHECK(standard_error_of([] { Log(LogLevel::info).error("a\nb\x1b[2J", {{"NAME", "x\r\n\xc2\x9b"}}); }) ==
        "legerd: error: a\\x0ab\\x1b[2J name=x\\x0d\\x0a\\xc2\\x9b\n");
}

TEST_CASE("what is more detailed than wanted is not written") {
  const auto all = [](LogLevel most_detailed) {
    return standard_error_of([most_detailed] {
      const Log log(most_detailed);
      log.error("e");
      log.warning("w");
      log.info("i");
      log.debug("d");
    });
  };
  CHECK(all(LogLevel::error) == "legerd: error: e\n");
  CHECK(all(LogLevel::warning) == "legerd: error: e\nlegerd: warning: w\n");
  CHECK(all(LogLevel::info) == "legerd: error: e\nlegerd: warning: w\nlegerd: info: i\n");
  CHECK(all(LogLevel::debug) == "legerd: error: e\nlegerd: warning: w\nlegerd: info: i\nlegerd: debug: d\n");
}

TEST_CASE("standard error that is another file than the journal's gets text") {
  setenv("JOURNAL_STREAM", "1:2", 1);
  CHECK(standard_error_of([] { Log(LogLevel::info).info("text"); }) == "legerd: info: text\n");
  unsetenv("JOURNAL_STREAM");
}

TEST_CASE("levels by name") {
  CHECK(log_level_named("error") == LogLevel::error);
  CHECK(log_level_named("warning") == LogLevel::warning);
  CHECK(log_level_named("info") == LogLevel::info);
  CHECK(log_level_named("debug") == LogLevel::debug);
  CHECK(log_level_named("Info") == std::nullopt);
  CHECK(log_level_named("") == std::nullopt);
}

}  // namespace
}  // namespace leger
