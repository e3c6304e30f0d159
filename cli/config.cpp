#include "cli/config.h"

#include <sys/wait.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "cli/program.h"

namespace leger {
namespace {

// Beside leger, where both are installed together, else in PATH.
std::optional<std::string> find_legerd(const Io& io) {
  std::string beside = (std::filesystem::path(io.executable).parent_path() / "legerd").string();
  if (!io.executable.empty() && is_program(beside)) return beside;
  return find_program(io, "legerd");
}

// Runs a program to its end: its exit code, 1 where a signal ended it.
Result<int> run_program(std::vector<std::string> command, const Io& io, int out) {
  const std::string program = command.front();
  const auto child = start_program(io, std::move(command), {.in = io.in, .out = out, .err = io.err}, Session::ours);
  if (!child) return Fail(child.error());
  int status = 0;
  while (waitpid(*child, &status, 0) < 0) {
    if (errno != EINTR) return Fail(system_error("Waiting for " + in_quotes(program), errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}

}  // namespace

int check_config(const Io& io, Output& output, const std::string& file) {
  const auto legerd = find_legerd(io);
  if (!legerd) {
    return output.fail({Code::unavailable,
                        "legerd was found neither beside leger nor in PATH.",
                        "Run this where legerd is installed.",
                        {}});
  }
  std::vector<std::string> command{*legerd, "--check-config"};
  if (!file.empty()) command.insert(command.end(), {"--config", file});
  // In JSON style standard output is the data alone; what legerd says for people goes to standard error.
  const auto exit = run_program(command, io, output.is_json() ? io.err : io.out);
  if (!exit) return output.fail(exit.error());
  if (*exit == kDone) output.data(Json{{"valid", true}});
  return *exit;
}

}  // namespace leger
