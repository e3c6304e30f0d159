#pragma once

// The other end of a sign-in in the browser (RFC 8252 §7.3): a listener on 127.0.0.1 that takes the page's answer. What
// comes in is bounded: one request a connection, a head of 8 KiB, a few seconds each, a deadline for all. Anybody on
// this machine may connect; who has the right state is judged by the caller. Blocking, one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/clock.h"
#include "backend/base/error.h"
#include "cli/io.h"

namespace leger {

using Query = std::map<std::string, std::string>;

// The parameters of `a=1&b=%20`, decoded; none where one of them comes twice or is not encoded well.
Query parse_query(std::string_view text);

class LoopbackListener {
 public:
  // Listens on a free port. internal_error where that is not possible.
  static Result<LoopbackListener> open(const Patience& patience);
  LoopbackListener(LoopbackListener&& other) noexcept;
  LoopbackListener& operator=(LoopbackListener&&) = delete;
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;
  ~LoopbackListener();

  // `http://127.0.0.1:PORT/`
  std::string address() const;

  // The query of the next `GET /`; anything else is answered here. Then redirect() is due. request_timeout when the
  // time for the whole sign-in is over.
  Result<Query> next();

  // Sends the browser whose request next() gave to `location`, an encoded URL.
  void redirect(const std::string& location);

 private:
  struct Connection {
    int fd = -1;
    std::uint64_t until_ms = 0;
    std::string head;
  };
  enum class Progress { waiting, whole, over };

  LoopbackListener(int fd, std::uint16_t port, const Patience& patience);
  Result<void> wait_for_bytes();
  void accept_one();
  void drop_late();
  Progress read_some(Connection& connection) const;
  void close_at(std::size_t index);

  static constexpr std::size_t kMaxConnections = 16;

  SystemClock clock_;
  int fd_;
  std::uint16_t port_;
  std::uint64_t request_ms_;
  std::uint64_t until_ms_;
  std::vector<Connection> connections_;
  int current_ = -1;  // waits for redirect()
};

}  // namespace leger
