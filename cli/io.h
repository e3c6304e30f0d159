#pragma once

// What a run of leger has of the world: its three descriptors, its environment, where its binary lies, how long it
// waits. Filled by main from the process, by a test from pipes and pseudo-terminals; nothing else asks the process.

#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace leger {

struct Patience {
  std::uint64_t answer_ms = 10'000;    // to connect, and for an answer
  std::uint64_t poll_ms = 200;         // between two looks at a deployment
  std::uint64_t outage_ms = 10'000;    // how long legerd may be away while a deployment is followed
  std::uint64_t follow_ms = 900'000;   // how long a deployment is followed at most
  std::uint64_t lookup_ms = 60'000;    // how long a container's start waits for legerd to give a secret
  std::uint64_t sign_in_ms = 600'000;  // how long a sign-in in the browser may take
  std::uint64_t request_ms = 5000;     // for a request of the browser to arrive whole
  std::uint64_t browser_ms = 500;      // how long a browser that starts is watched
  std::uint64_t lock_ms = 2000;        // how long another leger may be changing the same file
};

struct Io {
  int in = 0;
  int out = 1;
  int err = 2;
  std::map<std::string, std::string> environment;
  std::optional<rlim_t> core_file_limit;  // the soft limit that leger was started with, in bytes; main lowers it
  std::string executable;                 // absolute path of the running leger; empty where it is not known
  Patience patience;

  // A variable of the environment; nothing where it is unset or empty.
  std::optional<std::string> variable(const std::string& name) const {
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }
};

}  // namespace leger
