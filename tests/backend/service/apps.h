#pragma once

// Two releases of one app that differ in everything that a deployment can change, for tests of the deployer.

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/backend/service/host.h"

namespace leger::test {

using Files = std::map<std::string, std::string>;

inline Files shop_v1() {
  return {
      {"web.container",
       "[Container]\nImage=localhost/web:1\nSecret=token\nVolume=./site.conf:/etc/site.conf:ro\nNetwork=net.network\n"},
      {"worker.container", "[Container]\nImage=localhost/worker:1\n"},
      {"net.network", "[Network]\n"},
      {"data.volume", "[Volume]\n"},
      {"site.conf", "one"}};
}

// Against the first: web changes in image, file and secrets, worker goes, job and a network come.
inline Files shop_v2() {
  return {{"web.container",
           "[Container]\nImage=localhost/web:2\nSecret=token\nSecret=extra\nVolume=./site.conf:/etc/site.conf:ro\n"
           "Network=net.network\n"},
          {"job.container", "[Container]\nImage=localhost/job:1\nNetwork=more.network\n"},
          {"net.network", "[Network]\n"},
          {"more.network", "[Network]\n"},
          {"data.volume", "[Volume]\n"},
          {"site.conf", "two"}};
}

// The restarts and stops among the calls.
inline std::vector<std::string> jobs(const Daemon& daemon) {
  std::vector<std::string> jobs;
  for (const std::string& call : daemon.trouble.calls) {
    if (call.starts_with("restart ") || call.starts_with("stop ")) jobs.push_back(call);
  }
  return jobs;
}

inline std::string running(Daemon& daemon, const std::string& unit) {
  return daemon.machine.running.contains(unit) ? daemon.machine.running[unit] : "";
}

// Installs the first release, and forgets the calls.
inline void install_shop(Daemon& daemon) {
  daemon.set_secret("token", "alpha");
  const auto row = daemon.install(daemon.upload("shop", shop_v1(), {"token"}));
  REQUIRE(row);
  REQUIRE(row->state == "deployed");
  daemon.trouble.calls.clear();
}

}  // namespace leger::test
