#include "tests/systemd/fake_peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace leger::test {
namespace {

constexpr int kTickMs = 5;
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

int listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error("the socket's path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(fd, 8) != 0) {
    throw std::runtime_error("cannot listen");
  }
  return fd;
}

bool readable(int fd) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&wanted, 1, kTickMs) > 0;
}

void send(sd_bus* bus, sd_bus_message* message) {
  sd_bus_send(bus, message, nullptr);
  sd_bus_message_unref(message);
}

}  // namespace

FakePeer::FakePeer(Greeting greeting) : greeting_(greeting), listener_(listen_at(folder_ / "bus")) {
  on("Hello", [](FakePeer& peer, sd_bus_message* call) { peer.answer_text(call, ":1.1"); });
  on("AddMatch", [](FakePeer& peer, sd_bus_message* call) { peer.answer(call); });
  on("Subscribe", [](FakePeer& peer, sd_bus_message* call) { peer.answer(call); });
  thread_ = std::thread([this] { run(); });
}

FakePeer::~FakePeer() {
  stop_ = true;
  thread_.join();
  close(listener_);
}

void FakePeer::on(const std::string& member, Handler handler) {
  const std::scoped_lock lock(mutex_);
  handlers_[member] = std::move(handler);
}

std::vector<std::string> FakePeer::calls() const {
  const std::scoped_lock lock(mutex_);
  return calls_;
}

void FakePeer::run() {
  while (!stop_) {
    if (!readable(listener_)) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (greeting_ == Greeting::silent) {
      serve_silently(fd);
    } else {
      serve(fd);
    }
  }
}

void FakePeer::serve_silently(int fd) const {
  std::string dropped(4096, '\0');
  while (!stop_) {
    if (readable(fd) && read(fd, dropped.data(), dropped.size()) == 0) break;
  }
  close(fd);
}

void FakePeer::serve(int fd) {
  sd_id128_t id{};
  sd_id128_randomize(&id);
  sd_bus_new(&bus_);
  sd_bus_set_fd(bus_, fd, fd);
  sd_bus_set_server(bus_, 1, id);
  sd_bus_add_filter(bus_, nullptr, on_message, this);
  hang_up_ = false;
  int outcome = sd_bus_start(bus_);
  while (!stop_ && !hang_up_ && outcome >= 0) {
    outcome = sd_bus_process(bus_, nullptr);
    if (outcome == 0) sd_bus_wait(bus_, kTickMs * 1000);
    run_due();
  }
  later_.clear();
  sd_bus_flush_close_unref(std::exchange(bus_, nullptr));
}

void FakePeer::run_due() {
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < later_.size();) {
    if (later_[i].first > now) {
      ++i;
      continue;
    }
    const auto work = std::move(later_[i].second);
    later_.erase(later_.begin() + static_cast<std::ptrdiff_t>(i));
    work();
  }
}

void FakePeer::later(std::chrono::milliseconds delay, std::function<void()> work) {
  later_.emplace_back(std::chrono::steady_clock::now() + delay, std::move(work));
}

int FakePeer::on_message(sd_bus_message* message, void* user, sd_bus_error*) {
  if (sd_bus_message_is_method_call(message, nullptr, nullptr) > 0) static_cast<FakePeer*>(user)->handle(message);
  return 1;
}

void FakePeer::handle(sd_bus_message* call) {
  std::string line = sd_bus_message_get_member(call);
  Handler handler;
  const char* text = nullptr;
  for (int i = 0; i < 2 && sd_bus_message_peek_type(call, nullptr, nullptr) > 0; ++i) {
    if (sd_bus_message_read(call, "s", &text) > 0) line += std::string(" ") + text;
  }
  sd_bus_message_rewind(call, 1);
  {
    const std::scoped_lock lock(mutex_);
    calls_.push_back(line);
    const auto found = handlers_.find(sd_bus_message_get_member(call));
    if (found != handlers_.end()) handler = found->second;
  }
  if (handler) return handler(*this, call);
  refuse(call, "org.freedesktop.DBus.Error.UnknownMethod", "no such method");
}

void FakePeer::answer(sd_bus_message* call) {
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  send(bus_, reply);
}

void FakePeer::answer_text(sd_bus_message* call, const char* text) {
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  sd_bus_message_append(reply, "s", text);
  send(bus_, reply);
}

void FakePeer::answer_path(sd_bus_message* call, const char* path) {
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_return(call, &reply);
  sd_bus_message_append(reply, "o", path);
  send(bus_, reply);
}

void FakePeer::refuse(sd_bus_message* call, const char* name, const char* text) {
  const sd_bus_error error{.name = name, .message = text, ._need_free = 0};
  sd_bus_message* reply = nullptr;
  sd_bus_message_new_method_error(call, &reply, &error);
  send(bus_, reply);
}

void FakePeer::job_removed(const char* path, const char* unit, const char* result) {
  sd_bus_message* signal = nullptr;
  sd_bus_message_new_signal(bus_, &signal, kManagerPath, kManager, "JobRemoved");
  sd_bus_message_set_sender(signal, ":1.2");  // as a bus would; match rules look at it
  sd_bus_message_append(signal, "uoss", 1U, path, unit, result);
  send(bus_, signal);
}

void FakePeer::send_garbage() {
  constexpr std::string_view kGarbage = "\xFF\xFE this is not a message of D-Bus \x00\x01";
  [[maybe_unused]] const auto written = write(sd_bus_get_fd(bus_), kGarbage.data(), kGarbage.size());
}

FakePeer::Handler job_that_ends(const char* result) {
  return [result](FakePeer& peer, sd_bus_message* call) {
    peer.answer_path(call, "/org/freedesktop/systemd1/job/1");
    peer.job_removed("/org/freedesktop/systemd1/job/1", "a.service", result);
  };
}

}  // namespace leger::test
