#pragma once

// Plays the user's bus and systemd behind it: a thread with a Unix socket that speaks D-Bus as scripted. One connection
// at a time, any number after one another. Handlers run in the peer's thread.

#include <systemd/sd-bus.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support.h"

namespace leger::test {

class FakePeer {
 public:
  using Handler = std::function<void(FakePeer&, sd_bus_message*)>;
  enum class Greeting {
    polite,  // D-Bus as it should be
    silent,  // takes the connection and says nothing
  };

  explicit FakePeer(Greeting greeting = Greeting::polite);
  ~FakePeer();
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  std::string address() const { return "unix:path=" + folder_ / "bus"; }

  // What to do when `member` is called; a call without a handler gets the error UnknownMethod.
  void on(const std::string& member, Handler handler);
  // Members called so far, with their first two arguments where those are text: `StartUnit a.service replace`.
  std::vector<std::string> calls() const;

  // For handlers:
  void answer(sd_bus_message* call);                         // an empty answer
  void answer_text(sd_bus_message* call, const char* text);  // s
  void answer_path(sd_bus_message* call, const char* path);  // o
  void refuse(sd_bus_message* call, const char* name, const char* text);
  void job_removed(const char* path, const char* unit, const char* result);
  void send_garbage();
  void hang_up() { hang_up_ = true; }
  // Runs `work` in the peer's thread after a while, unless the connection has ended.
  void later(std::chrono::milliseconds delay, std::function<void()> work);
  sd_bus* bus() { return bus_; }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static int on_message(sd_bus_message* message, void* user, sd_bus_error*);
  void run();
  void serve(int fd);
  void serve_silently(int fd) const;
  void run_due();
  void handle(sd_bus_message* call);

  TemporaryFolder folder_;
  Greeting greeting_;
  int listener_ = -1;
  sd_bus* bus_ = nullptr;
  bool hang_up_ = false;
  std::vector<std::pair<Time, std::function<void()>>> later_;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::map<std::string, Handler> handlers_;
  std::vector<std::string> calls_;
  std::thread thread_;
};

// The job of a Start-, Stop- or RestartUnit: its path is answered, then it ends so.
FakePeer::Handler job_that_ends(const char* result);

}  // namespace leger::test
