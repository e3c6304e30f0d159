// legerd: reads what it is told, makes the Daemon, runs it until SIGTERM. Exit codes: 0 stopped, 1 cannot start, 2
// usage.

#include <openssl/crypto.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "daemon/daemon.h"
#include "daemon/options.h"
#include "systemd/notify.h"

namespace leger {
namespace {

// No core dump and no other process of the account may show our memory. Sanitizers need ptrace.
void protect_memory() {
#if !defined(LEGER_SANITIZED)
  prctl(PR_SET_DUMPABLE, 0);
#endif
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// Keeps all memory out of swap, where the limit allows that. Where it does not, libsodium still locks the keys, and the
// unit's MemorySwapMax=0 keeps the rest out.
void lock_memory() {
  rlimit lockable{};
  const bool unlimited = getrlimit(RLIMIT_MEMLOCK, &lockable) == 0 && lockable.rlim_cur == RLIM_INFINITY;
  if (unlimited) mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

// Where OpenSSL keeps private keys: locked, not dumped, between guard pages. Where memory cannot be locked it serves
// all the same.
void make_room_for_keys() {
  constexpr std::size_t kBytes = 256 * 1024;
  constexpr std::size_t kLeast = 32;
  CRYPTO_secure_malloc_init(kBytes, kLeast);
}

// SQLite would count its memory under a lock at each allocation, for statistics that nobody asks for.
void stop_counting_memory() { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

int say(const Error& error) {
  std::fprintf(stderr, "legerd: %s\n", error.message.c_str());
  if (!error.action.empty()) std::fprintf(stderr, "%s\n", error.action.c_str());
  return 1;
}

// What main's task needs to live until the loop ends.
struct Program {
  Loop& loop;
  const Log& log;
  Config config;
  OneShot<bool> stop_wanted;
  std::unique_ptr<Daemon> daemon;
  int exit_code = 0;
};

Task<void> run(Program& program) {
  auto handed = take_handed_sockets();
  if (!handed) {
    program.exit_code = say(handed.error());
    co_return;
  }
  auto daemon = co_await Daemon::make(program.loop, program.log, program.config);
  if (!daemon) {
    program.exit_code = say(daemon.error());
    co_return;
  }
  program.daemon = std::move(*daemon);
  auto started = co_await program.daemon->start(std::move(*handed));
  if (started) {
    co_await program.stop_wanted;
  } else {
    program.exit_code = say(started.error());
  }
  co_await program.daemon->stop();
}

// SIGTERM and SIGINT ask for an orderly end. Outlives the loop, which closes its handles.
class Signals {
 public:
  void watch(Program& program) {
    const std::array numbers{SIGTERM, SIGINT};
    for (std::size_t i = 0; i < handles_.size(); ++i) {
      uv_signal_init(program.loop.uv(), &handles_[i]);
      handles_[i].data = &program;
      uv_signal_start(
          &handles_[i], [](uv_signal_t* handle, int) { static_cast<Program*>(handle->data)->stop_wanted.set(true); },
          numbers[i]);
    }
  }
  void close() {
    for (uv_signal_t& handle : handles_) uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
  }

 private:
  std::array<uv_signal_t, 2> handles_{};
};

int serve(Config config) {
  const Log log(config.log_level);
  const SystemClock clock;
  Signals signals;
  Loop loop(clock);
  Program program{loop, log, std::move(config), OneShot<bool>(loop), nullptr, 0};
  signals.watch(program);
  loop.spawn(run(program), [&program](std::exception_ptr problem) {
    program.exit_code = 1;
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& bug) {
      program.log.error("legerd ends on an exception", {{"WHAT", bug.what()}});
    }
  });
  loop.run_until_idle();
  program.daemon.reset();
  signals.close();
  return program.exit_code;
}

}  // namespace
}  // namespace leger

int main(int argc, char** argv) {
  umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
  const leger::Options options = leger::read_options(argc, argv);
  if (options.exit_code) return *options.exit_code;
  leger::protect_memory();
  leger::lock_memory();
  leger::stop_counting_memory();
  auto config = leger::load_config(options.flags, leger::process_environment());
  if (!config) return leger::say(config.error());
  if (options.flags.check_config) {
    std::printf("%s is right.\n", config->file.c_str());
    return 0;
  }
  if (config->tls.is_on()) leger::make_room_for_keys();
  return leger::serve(std::move(*config));
}
