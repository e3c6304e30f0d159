#pragma once

// What legerd and its service manager tell each other: readiness, the watchdog, and sockets handed over at start.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/base/error.h"

namespace leger {

// sd_notify(3): nothing happens where no manager listens.
void notify_ready(const std::string& status);
void notify_stopping();
void notify_watchdog();
void notify_status(const std::string& status);

// How often the manager wants to hear from us, in milliseconds; nothing where it does not.
std::optional<std::uint64_t> watchdog_interval_ms();

struct HandedSocket {
  int fd = -1;
  std::string name;      // FileDescriptorName=
  bool is_unix = false;  // else TCP
};

// The listening stream sockets that systemd handed over (they come in any order), the environment cleared so that
// children do not see them. Anything that is not a listening stream socket is an error.
Result<std::vector<HandedSocket>> take_handed_sockets();

}  // namespace leger
