#pragma once

// Runs lines of shell with the binary of leger in them, for what only a process has.

#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/cli/harness.h"

namespace leger::test {

inline std::string leger_binary() {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();  // build/tests/cli
  return (folder / "../../cli/leger").lexically_normal().string();
}

// Starts a line of shell in which $LEGER is the binary, against the harness's server.
inline pid_t start_shell(const Harness& harness, const std::string& line, int out, int err) {
  std::vector<std::string> environment{"LEGER=" + leger_binary(), "XDG_RUNTIME_DIR=" + harness.folder.path(),
                                       "PATH=/usr/bin:/bin"};
  std::vector<std::string> command{"/bin/sh", "-c", line};
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, "/bin/sh", &actions, nullptr, pointers(command).data(), pointers(environment).data()) ==
          0);
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

// The same to its end.
inline Ran shell(const Harness& harness, const std::string& line) {
  const MemoryFile out;
  const MemoryFile err;
  const pid_t child = start_shell(harness, line, out.get(), err.get());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out.content(), err.content()};
}

}  // namespace leger::test
