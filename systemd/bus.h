#pragma once

// The user's D-Bus connection on the loop: sd-bus driven by libuv handles. Connects when it is first needed and again
// after it was lost: legerd runs without a user bus, and only what needs it fails then. Owned by main; loop thread. It
// knows D-Bus and nothing of what is on it.

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

  // `loop` outlives the bus; calls that are under way when it is destroyed fail. `address` is a D-Bus address; empty:
  // the user's bus, as $DBUS_SESSION_BUS_ADDRESS or $XDG_RUNTIME_DIR say.
  explicit Bus(Loop& loop, std::string address = {});
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // The connection, made now where there is none; it does not wait, the handshake goes on as the loop runs.
  // `unavailable` says how to get one (a login session or lingering). The pointer is good until the caller next waits.
  Result<sd_bus*> connection();

  // How many connections there have been: a number that changes when what was told to the last one must be told again.
  std::uint64_t connections_made() const;

  // Sends a method call, made on connection() in the same breath, and waits for its answer; upstream_failed with the
  // D-Bus error's name in `details` ({"dbus":"org.…"}) and its text, or when none came within `timeout_ms`, or when the
  // connection was lost.
  Task<Result<Message>> call(Message message, std::uint64_t timeout_ms);

  // Called for every signal that matches `rule` (a D-Bus match rule), also after a reconnection. It runs inside
  // sd_bus_process: it may set a OneShot, it may not use the bus. Lives until the bus is destroyed.
  void subscribe(std::string rule, std::function<void(sd_bus_message*)> on_signal);

  // Called each time a connection was lost: signals may have been missed. Lives until the bus is destroyed.
  void when_lost(std::function<void()> on_lost);

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace leger
