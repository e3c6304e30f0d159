#pragma once

// A value that must not leak: moved, never copied or printed, wiped when it goes away. Whoever looks at it says so by
// calling reveal(), which makes each such place greppable.

#include <string.h>

#include <string>
#include <string_view>
#include <utility>

namespace leger {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe();
    if (other.value_.size() > kLongestInside) {
      value_ = std::move(other.value_);
    } else {
      value_ = other.value_;  // a copy, since the bytes of a short string would stay behind in `other`
    }
    other.wipe();
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  std::string_view reveal() const { return value_; }
  // The buffer itself, to be filled by a library; its size is fixed beforehand so that it never moves.
  std::string& buffer() { return value_; }

 private:
  static constexpr std::size_t kLongestInside = 32;  // more than any std::string keeps within itself

  void wipe() {
    explicit_bzero(value_.data(), value_.size());
    value_.clear();
  }

  std::string value_;
};

// Wipes text that held a secret for a moment.
inline void wipe(std::string& text) {
  explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace leger
