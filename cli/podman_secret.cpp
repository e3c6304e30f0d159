#include "cli/podman_secret.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "backend/base/clock.h"
#include "backend/base/secret.h"
#include "backend/base/text.h"

namespace leger {
namespace {

constexpr std::size_t kMostBytes = 512'000;  // Podman's bound

}  // namespace

int look_up_for_podman(const Context& context, const LookupOptions& options) {
  const std::string path = "/api/podman-secrets/" + percent_encode(options.name) +
                           "?user=" + percent_encode(options.user_uuid) + "&version=" + std::to_string(options.version);
  const SystemClock clock;
  const std::uint64_t give_up_at = clock.monotonic_ms() + context.io.patience.lookup_ms;
  for (;;) {
    auto value = context.api.fetch({.path = path, .max_bytes = kMostBytes, .extra_ms = 0, .on_received = {}});
    if (value) {
      context.output.bytes(*value);
      wipe(*value);
      return kDone;
    }
    const bool may_come = value.error().code == Code::unavailable;
    if (!may_come || clock.monotonic_ms() >= give_up_at) return context.output.fail(value.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(context.io.patience.poll_ms));
  }
}

int store_for_podman(const Io& io, Output& output) {
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t got = read(io.in, block.data(), block.size());
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    return got == 0 ? kDone : output.fail(system_error("Reading what Podman has", errno));
  }
}

int delete_for_podman(const Io& io, Output& output) {
  if (io.variable("SECRET_ID")) return kDone;
  return output.fail({Code::invalid_request,
                      "Podman names no secret to delete.",
                      "This command is for Podman: remove a secret with podman secret rm NAME",
                      {}});
}

}  // namespace leger
