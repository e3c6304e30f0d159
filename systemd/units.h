#pragma once

// What Leger asks of the user's systemd: a seam with the real one over sd-bus. Loop thread; every call has a deadline.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"
#include "backend/base/task.h"

namespace leger {

struct UnitState {
  std::string name;
  std::string load_state;                    // loaded, not-found, error, …
  std::string active_state;                  // active, inactive, failed, activating, …
  std::string sub_state;                     // running, exited, …
  std::string source_path;                   // of generated units: the quadlet
  std::string type;                          // of services: notify, oneshot, …; empty for others
  std::string result;                        // of services: success, exit-code, timeout, …; empty for others
  std::uint32_t restarts = 0;                // NRestarts of services
  std::optional<std::int64_t> active_since;  // seconds since 1970; nothing while it is not active
};

class Units {
 public:
  virtual ~Units() = default;
  // Reads unit files anew; one at a time, a second call waits for the first.
  virtual Task<Result<void>> reload() = 0;
  // Start, stop or restart, and the end of the job awaited: its result as systemd names it (`done`, `failed`,
  // `dependency`, `timeout`, `canceled`, `skipped`). service_not_found for a unit that systemd does not know.
  // upstream_failed when the job has not ended after `timeout_ms`.
  virtual Task<Result<std::string>> start(std::string unit, std::uint64_t timeout_ms) = 0;
  virtual Task<Result<std::string>> stop(std::string unit, std::uint64_t timeout_ms) = 0;
  virtual Task<Result<std::string>> restart(std::string unit, std::uint64_t timeout_ms) = 0;
  // Forgets a failed state; no error where there is none.
  virtual Task<Result<void>> reset_failed(std::string unit) = 0;
  // Its state; load_state `not-found` for one that is not there.
  virtual Task<Result<UnitState>> state(std::string unit) = 0;
  // Names of the instances of a template, job@.service, that systemd has loaded, whatever file they come from.
  virtual Task<Result<std::vector<std::string>>> instances(std::string template_file) = 0;
  // Names of all unit files that systemd knows, generated ones included.
  virtual Task<Result<std::vector<std::string>>> unit_files() = 0;
};

}  // namespace leger
