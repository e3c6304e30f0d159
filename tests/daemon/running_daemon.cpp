#include "tests/daemon/running_daemon.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <format>
#include <fstream>
#include <future>
#include <stdexcept>
#include <vector>

#include "daemon/daemon.h"

namespace leger::test {
namespace {

// A listening socket on a port of the system's choice, to be handed over as systemd would.
int listening_socket(std::uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, size) != 0 || listen(fd, 511) != 0 || getsockname(fd, generic, &size) != 0) {
    throw std::runtime_error("no port to listen on");
  }
  port = ntohs(address.sin_port);
  return fd;
}

Config config_in(const TemporaryFolder& folder, const DaemonSettings& settings) {
  Config config;
  config.file = folder / "legerd.toml";
  config.state_dir = folder / "state";
  config.socket = folder / "run/legerd.sock";
  config.quadlet_dir = folder / "quadlets/systemd";
  config.log_level = LogLevel::error;
  config.key_file = folder / "leger.kek";
  config.podman_socket = folder / "absent.sock";
  config.environment = settings.environment;
  config.tailscale.socket = folder / "absent-tailscaled.sock";
  config.limits = settings.limits;
  config.hosts = {"localhost:80", "h:80", "localhost:443", "h:443"};  // what the requests of the tests have
  config.tls = settings.tls;
  if (settings.change) settings.change(config);
  return config;
}

constexpr int kTurns = 4;  // accept, read, answer, and close each take a turn of the loop at most
constexpr std::chrono::seconds kBound{20};

}  // namespace

// What lives on the daemon's thread, but for post().
struct RunningDaemon::Program {
  Program(const Clock& clock, const Config& with, CertificateSource certificates, int listening)
      : config(with),
        issuer(std::move(certificates)),
        listener(listening),
        log(with.log_level),
        loop(clock),
        stop_wanted(loop) {}

  Task<void> serve() {
    auto made = co_await Daemon::make(loop, log, config, issuer);
    if (!made) throw std::runtime_error(made.error().message);
    daemon = std::move(*made);
    std::vector<HandedSocket> handed{{.fd = listener, .name = "tcp", .is_unix = false}};
    auto running = co_await daemon->start(std::move(handed));
    if (running) {
      started.set_value();
      co_await stop_wanted;
    }
    co_await daemon->stop();
    if (!running) throw std::runtime_error(running.error().message);
  }

  void run() {
    loop.spawn(serve(), [this](std::exception_ptr problem) { started.set_exception(problem); });
    loop.run_until_idle();
    daemon.reset();
    ended.store(true);
  }

  const Config config;
  const CertificateSource issuer;
  const int listener;
  const Log log;
  Loop loop;
  OneShot<bool> stop_wanted;
  std::promise<void> started;
  std::unique_ptr<Daemon> daemon;
  std::atomic<bool> ended = false;
};

RunningDaemon::RunningDaemon(const DaemonSettings& settings)
    : folder_(settings.folder), config_(config_in(*folder_, settings)) {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));  // as main does
  program_ = std::make_unique<Program>(clock_, config_, settings.issuer, listening_socket(port_));
  auto started = program_->started.get_future();
  thread_ = std::thread([this] { program_->run(); });
  try {
    started.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

RunningDaemon::~RunningDaemon() { stop(); }

void RunningDaemon::on_loop(std::function<void()> work) {
  const auto done = std::make_shared<std::promise<void>>();
  program_->loop.post([work = std::move(work), done] {
    work();
    done->set_value();
  });
  auto outcome = done->get_future();
  const auto bound = std::chrono::steady_clock::now() + kBound;
  while (outcome.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
    if (program_->ended.load()) return;
    if (std::chrono::steady_clock::now() > bound) throw std::runtime_error("the loop is stuck");
  }
}

void RunningDaemon::settle() {
  for (int i = 0; i < kTurns; ++i) on_loop([] {});
}

void RunningDaemon::advance(std::uint64_t milliseconds) {
  settle();
  on_loop([this, milliseconds] {
    clock_.advance(milliseconds);
    program_->loop.timers().run_due();
  });
  settle();
}

void RunningDaemon::while_held(const std::function<void()>& meanwhile, OnLoop first) {
  settle();
  std::promise<void> release;
  program_->loop.post([released = release.get_future().share()] { released.wait_for(kBound); });
  meanwhile();
  program_->loop.post([this, first = std::move(first)] { first(program_->loop, clock_); });
  release.set_value();
}

void RunningDaemon::tell(const std::function<void(DeployEvents&)>& say) {
  on_loop([this, &say] { say(program_->daemon->deploy_events()); });
  settle();
}

void RunningDaemon::begin_stop() {
  on_loop([this] { program_->stop_wanted.set(true); });
}

void RunningDaemon::stop() {
  if (!thread_.joinable()) return;
  program_->loop.post([this] { program_->stop_wanted.set(true); });
  while (!program_->ended.load()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    program_->loop.post([this] {
      if (program_->ended.load()) return;
      clock_.advance(100);
      program_->loop.timers().run_due();
    });
  }
  thread_.join();
}

std::string RunningDaemon::answer(std::string_view status, std::string_view body, std::string_view lines) const {
  return std::format("HTTP/1.1 {}\r\nDate: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}{}\r\n{}",
                     status, http_date(clock_.wall_seconds()), body.size(), kDataHeaders, lines, body);
}

std::string RunningDaemon::now() const { return rfc3339(clock_.wall_seconds()); }

std::size_t resident_bytes(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace leger::test
