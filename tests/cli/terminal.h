#pragma once

// A user at a terminal, for tests of what leger shows and asks there.

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace leger::test {

// A pseudo-terminal: `typed` is what the user types, screen() what was shown, echo included.
class Terminal {
 public:
  explicit Terminal(const std::string& typed) {
    if (openpty(&master_, &slave_, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("no pseudo-terminal");
    if (write(master_, typed.data(), typed.size()) != static_cast<ssize_t>(typed.size())) {
      throw std::runtime_error("nothing can be typed");
    }
    fcntl(master_, F_SETFL, O_NONBLOCK);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    close(slave_);
    close(master_);
  }
  int get() const { return slave_; }
  // All that has been shown; waits up to 2 s for `expected`, since the kernel hands it over in its own time.
  std::string screen(const std::string& expected = {}) {
    for (int waits = 0; waits < 200; ++waits) {
      std::array<char, 4096> bytes{};
      const ssize_t count = read(master_, bytes.data(), bytes.size());
      if (count > 0) shown_.append(bytes.data(), static_cast<std::size_t>(count));
      if (count <= 0 && shown_.contains(expected)) break;
      if (count <= 0) usleep(10'000);
    }
    return shown_;
  }

 private:
  int master_ = -1;
  int slave_ = -1;
  std::string shown_;
};

}  // namespace leger::test
