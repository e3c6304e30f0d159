#pragma once

// The user's D-Bus connection on the loop: sd-bus driven by libuv handles. Connects when it is first needed and again after
// it was lost: legerd runs without a user bus, and only what needs it fails then. Loop thread.

#include <systemd/sd-bus.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "backend/base/error.h"
#include "backend/base/loop.h"
#include "backend/base/task.h"

namespace leger {

class Bus {
 public:
  using Message = std::shared_ptr<sd_bus_message>;

  // `loop` outlives the bus; no call is under way when it is destroyed.
  explicit Bus(Loop& loop);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // The connection, made now where there is none. `unavailable` says how to get one (a login session or lingering).
  Result<sd_bus*> connection();

  // Sends a method call and waits for its answer; upstream_failed with the D-Bus error's name in `details`
  // ({"dbus":"org.…"}) and its text, or when none came within `timeout_ms`.
  Task<Result<Message>> call(Message message, std::uint64_t timeout_ms);

  // Called for every signal that matches `rule` (a D-Bus match rule), also after a reconnection; never from within
  // sd_bus_process of another callback's frame that waits. Lives until the bus is destroyed.
  void subscribe(std::string rule, std::function<void(sd_bus_message*)> on_signal);

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace leger
