#pragma once

// The whole daemon as main makes it, in the test's process on a thread of its own, with a clock that the test moves. No
// Podman, no user bus: they fail when they are asked. A test never sleeps for a timeout of the daemon's.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "backend/base/loop.h"
#include "backend/service/deploy_events.h"
#include "daemon/certificates.h"
#include "daemon/config.h"
#include "tests/daemon/client.h"
#include "tests/support.h"

namespace leger::test {

// Tests ask faster than people do: no limits but this one.
inline Limits limited_to(std::uint32_t connections) { return {0, 0, 0, 0, 0, connections}; }

// What every answer that is data says to browsers, each line with its end.
inline constexpr std::string_view kDataHeaders =
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";

// What a test may want to be otherwise.
struct DaemonSettings {
  Limits limits = limited_to(1024);
  std::string environment = "production";
  std::function<void(Config&)> change;  // of what else is configured
  TlsConfig tls;                        // of the TCP door
  CertificateSource issuer;
  // Given to a second daemon, it finds there what the first has left.
  std::shared_ptr<TemporaryFolder> folder = std::make_shared<TemporaryFolder>();
};

class RunningDaemon {
 public:
  // Serves when it is made; what keeps it from starting is thrown.
  explicit RunningDaemon(const DaemonSettings& settings = {});
  ~RunningDaemon();
  RunningDaemon(const RunningDaemon&) = delete;
  RunningDaemon& operator=(const RunningDaemon&) = delete;

  Client tcp() const { return Client::tcp(port_); }
  std::uint16_t port() const { return port_; }
  Client unix_socket() const { return Client::unix_socket(config_.socket.value_or("")); }
  const Config& config() const { return config_; }

  // Until the daemon's loop has taken notice of everything that was sent, accepted or closed before.
  void settle();
  // Moves the daemon's clock between two settlings: what is due then has happened when it returns.
  void advance(std::uint64_t milliseconds);

  // Runs `meanwhile` here while the loop stands still, then `first` on the loop, before it looks at anything else or
  // right after. `first` may post itself again: it then runs once a turn.
  using OnLoop = std::function<void(Loop& loop, FakeClock& clock)>;
  void while_held(const std::function<void()>& meanwhile, OnLoop first);

  // Says something of a deployment, on the loop, and lets it go out.
  void tell(const std::function<void(DeployEvents&)>& say);

  // Asks it to end, as SIGTERM does, and goes on at once.
  void begin_stop();
  // Until it has ended, moving its clock on; in order, as main does it.
  void stop();

  // What a whole answer of now has to be. `lines` are further header lines, each with its line end.
  std::string answer(std::string_view status, std::string_view body, std::string_view lines = {}) const;
  // RFC 3339, of the daemon's clock.
  std::string now() const;

 private:
  struct Program;
  void on_loop(std::function<void()> work);

  std::shared_ptr<TemporaryFolder> folder_;
  Config config_;
  std::uint16_t port_ = 0;
  FakeClock clock_;
  std::unique_ptr<Program> program_;
  std::thread thread_;
};

// Resident bytes of a process.
std::size_t resident_bytes(int pid);

// Lets this process have as many descriptors as it may, for tests of thousands of connections.
void raise_descriptor_limit();

// AddressSanitizer keeps 256 MiB of freed memory for a while: what a test of memory adds to its bound.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::size_t kSanitizerBytes = std::size_t{512} << 20;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr std::size_t kSanitizerBytes = std::size_t{512} << 20;
#else
inline constexpr std::size_t kSanitizerBytes = 0;
#endif
#else
inline constexpr std::size_t kSanitizerBytes = 0;
#endif

}  // namespace leger::test
