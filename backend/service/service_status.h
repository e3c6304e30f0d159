#pragma once

// What the deployed apps are doing now, from systemd and Podman. Loop thread; reads only.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"
#include "backend/store/deployments.h"
#include "quadlets/podman.h"
#include "systemd/units.h"

namespace leger {

struct ServiceStatus {
  std::string name;  // hello
  std::string app;
  std::string unit;   // hello.service
  std::string state;  // running, stopped, failed, starting, stopping
  std::optional<std::string> health;
  std::string image;
  std::optional<std::string> since;  // RFC 3339
  std::uint32_t restarts = 0;
  std::vector<std::string> ports;
  std::vector<std::string> secrets;
};

class ServiceStatusReader {
 public:
  // All outlive this.
  ServiceStatusReader(Deployments& deployments, Units& units, Podman& podman)
      : deployments_(deployments), units_(units), podman_(podman) {}

  // Every service of every deployed app, by unit name; asks nobody where nothing is deployed.
  Task<Result<std::vector<ServiceStatus>>> read();

 private:
  Deployments& deployments_;
  Units& units_;
  Podman& podman_;
};

}  // namespace leger
