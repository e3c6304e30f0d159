#pragma once

// Memory of coroutine frames: a request takes about ten, of the same few sizes each time, and many requests wait at
// once. What a thread gives back it takes again. Sanitized builds go to the heap each time, so that a frame that is
// used after its end shows.

#include <array>
#include <cstddef>
#include <new>

namespace leger::detail {

class FramePool {
 public:
  static void* take(std::size_t bytes) {
    FramePool& pool = of_this_thread();
    Free*& first = pool.first_of(bytes);
    if (bytes > kMost || first == nullptr) return ::operator new(rounded(bytes));
    Free* taken = first;
    first = taken->next;
    --pool.free_;
    return taken;
  }

  static void give_back(void* frame, std::size_t bytes) noexcept {
    FramePool& pool = of_this_thread();
    if (bytes > kMost || pool.free_ == kMostFree) return ::operator delete(frame, rounded(bytes));
    Free*& first = pool.first_of(bytes);
    first = ::new (frame) Free{first};
    ++pool.free_;
  }

 private:
  static constexpr std::size_t kStep = 64;
  static constexpr std::size_t kMost = 4096;
  static constexpr std::size_t kMostFree = 2048;  // frames

  struct Free {
    Free* next;
  };

  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (std::size_t size = 0; size < lists_.size(); ++size) {
      while (Free* taken = lists_[size]) {
        lists_[size] = taken->next;
        ::operator delete(taken, size * kStep);
      }
    }
  }

  static std::size_t rounded(std::size_t bytes) { return (bytes + kStep - 1) / kStep * kStep; }
  Free*& first_of(std::size_t bytes) { return lists_[bytes > kMost ? 0 : rounded(bytes) / kStep]; }
  static FramePool& of_this_thread() {
    thread_local FramePool pool;
    return pool;
  }

  std::size_t free_ = 0;
  std::array<Free*, kMost / kStep + 1> lists_{};  // by size in steps
};

}  // namespace leger::detail
